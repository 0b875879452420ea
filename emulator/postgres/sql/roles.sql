-- Roles of a new server; run once by the emulator's superuser, azuresu, in database postgres.
-- The role names are the service's (azure-docs #116607). What azure_pg_admin may do beyond them is unverified.
CREATE ROLE azure_pg_admin NOLOGIN;
CREATE ROLE azure_ai_settings_manager NOLOGIN;
CREATE ROLE replication NOLOGIN REPLICATION;
GRANT azure_ai_settings_manager TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO azure_pg_admin WITH ADMIN OPTION;
