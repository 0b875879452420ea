"""PostgreSQL for the emulated flexible servers: backends that run it, and the gateway in front of them.

What is not as on the service:

- The backend `embedded` has a wheel's PostgreSQL 16.14 and 18.4 with pgvector 0.8.5, without contrib, ICU, LZ4, JIT and
  TLS of its own (`SHOW ssl` is off, pg_stat_ssl is empty). CREATE EXTENSION finds `vector`, `plpgsql` and the stand-ins
  `azure_ai` and `age` alone; that of `age` holds no graph.
- The backend `debian` has PostgreSQL 17 with age, pg_cron, pgvector, contrib, ICU and TLS, without JIT; `azure_ai` is
  the stand-in there too.
- A version that a backend lacks runs on its nearest, and says so.
- Libraries in shared_preload_libraries that a backend lacks are inert stand-ins under their names: the parameter can be
  set, waits for a restart and is shown, what the library would do does not happen.
- Parameters of the service that have a dot are shown but have no effect, and a session can SET them, which the
  service refuses (the allowlist reads the configuration, not the session); those without a dot, such as
  require_secure_transport, are unknown to SHOW. Values that the machine cannot take are put back at the next start.
- The allowlist is three event triggers and their functions, which the service does not have: pg_dump writes them.
- A locale that the system lacks becomes C.UTF-8. fsync is off. Errors of statements are not in the server's log.
- Servers are copies of one template, so they share their system identifier.
- SCRAM with channel binding, physical replication and PgBouncer's port are not offered; Entra groups cannot log in. Of
  the functions for Entra roles there are pgaadauth_create_principal_with_oid and pgaadauth_list_principals.
- A server's own TCP port is open to every local user who knows a password, without TLS and firewall rules.
"""
