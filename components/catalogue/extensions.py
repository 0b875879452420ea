"""Extensions that a flexible server can allow, and what each needs.

Source: MicrosoftDocs/azure-databases-docs, server-parameters/includes/param-16-customized-options.md (allowed values of
`azure.extensions`, 2026-05) and param-{16,17,18}-client-connection-defaults-shared-library-preloading.md (2025-05 to
2026-04). The list of 16 is used for every version; a server that lacks one says so when it is created.
"""

from __future__ import annotations

_NAMES = """
address_standardizer address_standardizer_data_us age amcheck anon azure_ai azure_storage bloom btree_gin btree_gist
citext credcheck cube dblink dict_int dict_xsyn earthdistance fuzzystrmatch hll hstore hypopg intagg intarray ip4r
isn     lo login_hook ltree oracle_fdw orafce pageinspect pg_buffercache pg_cron pg_diskann pg_duckdb pg_freespacemap
pg_hint_plan pg_ivm pg_partman pg_prewarm pg_repack pg_squeeze pg_stat_statements pg_trgm pg_visibility pgaudit
pgcrypto pglogical pgrouting pgrowlocks pgstattuple plpgsql plv8 postgis postgis_raster postgis_sfcgal
postgis_tiger_geocoder postgis_topology postgres_fdw postgres_protobuf semver session_variable sslinfo tablefunc
temporal_tables tdigest tds_fdw timescaledb topn tsm_system_rows tsm_system_time unaccent uuid-ossp vector
"""
KNOWN = frozenset(_NAMES.split())

# People's names for an extension that has another one.
ALIASES = {"pgvector": "vector", "apache_age": "age", "diskann": "pg_diskann", "uuid_ossp": "uuid-ossp"}

# Extension -> library that must be in shared_preload_libraries. pg_partman works without its background worker.
PRELOADS = {
    "age": "age",
    "anon": "anon",
    "azure_storage": "azure_storage",
    "credcheck": "credcheck",
    "pg_cron": "pg_cron",
    "pg_duckdb": "pg_duckdb",
    "pg_hint_plan": "pg_hint_plan",
    "pg_squeeze": "pg_squeeze",
    "pg_stat_statements": "pg_stat_statements",
    "pgaudit": "pgaudit",
    "pglogical": "pglogical",
    "timescaledb": "timescaledb",
}

# Extension -> extensions that must be created before it.
REQUIRES = {"pg_diskann": ("vector",), "earthdistance": ("cube",), "postgis_topology": ("postgis",)}

_PRELOAD_NAMES = """
age anon auto_explain azure_storage credcheck pg_cron pg_duckdb pg_failover_slots pg_hint_plan pg_ivm pg_partman_bgw
pg_prewarm pg_squeeze pg_stat_statements pgaudit pglogical timescaledb wal2json
"""
_ALLOWED_PRELOADS = frozenset(_PRELOAD_NAMES.split())


def allowed_preloads() -> frozenset[str]:
    """Return every library that some version lets into shared_preload_libraries."""
    return _ALLOWED_PRELOADS


def default_preloads(version: str) -> tuple[str, ...]:
    """Return what shared_preload_libraries holds on a new server of this major version."""
    return ("pg_stat_statements",) if version == "17" else ("pg_cron", "pg_stat_statements")


def preload_unverified(extension: str, version: str) -> bool:
    """Say whether nobody has seen this extension preloaded on this version.

    The page of 17 (2025-12) does not list `age` though the extension table does; the page of 18 (2026-04) lists it.
    Neither was tried, so both are unverified.
    """
    return extension == "age" and version in ("17", "18")
