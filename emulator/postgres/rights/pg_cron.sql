
-- Appended by the emulator. pg_cron keeps its jobs with the rights of whoever owns the extension, elsewhere always a
-- superuser; here an administrator, who therefore sees everybody's jobs. On the service members of azure_pg_admin schedule
-- jobs of their own (azure-databases-docs, "pg_cron"); which rights they have in this schema beyond that is unverified.
GRANT SELECT, INSERT, UPDATE, DELETE ON cron.job, cron.job_run_details TO @extowner@;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA cron TO @extowner@;
CREATE POLICY emulator_owner ON cron.job TO @extowner@ USING (true) WITH CHECK (pg_has_role(session_user, username, 'MEMBER'));
CREATE POLICY emulator_owner ON cron.job_run_details TO @extowner@ USING (true);
GRANT USAGE ON SCHEMA cron TO azure_pg_admin;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO azure_pg_admin;
