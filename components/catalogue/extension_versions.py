"""Which version of each extension a flexible server carries, by major version of PostgreSQL.

Sources: MicrosoftDocs/azure-databases-docs, articles/postgresql/extensions/includes/extensions-tables-by-engine-*.md:
14, 16, 17 and 18 as of 2026-06-08, 15 as of 2025-12-18. A server gets newer ones in its maintenance windows, so these
are the least to expect; "-" is an extension that the page of that version does not list.
"""

from __future__ import annotations

_COLUMNS = ("14", "15", "16", "17", "18")
_TABLE = """
address_standardizer          3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
address_standardizer_data_us  3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
age                           1.6.0   1.5.0   1.6.0   1.7.0   1.7.0
amcheck                       1.3     1.3     1.3     1.4     1.5
anon                          2.5.1   2.4.0   2.5.1   2.5.1   2.5.1
azure_ai                      1.3.1   1.3.1   1.3.1   1.3.1   2.0.0
azure_storage                 1.9     1.7     1.9     1.9     1.9
bloom                         1.0     1.0     1.0     1.0     1.0
btree_gin                     1.3     1.3     1.3     1.3     1.3
btree_gist                    1.6     1.7     1.7     1.7     1.8
citext                        1.6     1.6     1.6     1.6     1.8
credcheck                     3.0.0   3.0.0   3.0.0   3.0.0   3.0.0
cube                          1.5     1.5     1.5     1.5     1.5
dblink                        1.2     1.2     1.2     1.2     1.2
dict_int                      1.0     1.0     1.0     1.0     1.0
dict_xsyn                     1.0     1.0     1.0     1.0     1.0
earthdistance                 1.1     1.1     1.2     1.2     1.2
fuzzystrmatch                 1.1     1.1     1.2     1.2     1.2
hll                           2.19    2.18    2.19    2.19    2.19
hstore                        1.8     1.8     1.8     1.8     1.8
hypopg                        1.4.0   1.4.0   1.4.0   1.4.1   1.4.2
intagg                        1.1     1.1     1.1     1.1     1.1
intarray                      1.5     1.5     1.5     1.5     1.5
ip4r                          2.4     2.4     2.4     2.4     2.4
isn                           1.2     1.2     1.2     1.2     1.3
lo                            1.1     1.1     1.1     1.1     1.2
login_hook                    1.7     1.4     1.7     1.7     1.7
ltree                         1.2     1.2     1.2     1.3     1.3
oracle_fdw                    1.2     1.2     1.2     1.2     1.2
orafce                        4.16    3.24    4.16    4.16    4.16
pageinspect                   1.9     1.11    1.12    1.12    1.13
pg_buffercache                1.3     1.3     1.4     1.5     1.6
pg_cron                       1.6     1.6     1.6     1.6     1.6
pg_diskann                    0.6.4   0.6.4   0.6.4   0.6.4   0.6.5
pg_duckdb                     1.1.0   1.0.0   1.1.0   1.1.0   1.1.0
pg_freespacemap               1.2     1.2     1.2     1.2     1.3
pg_hint_plan                  1.4     1.5     1.6.0   1.7.0   1.8.0
pg_ivm                        1.13    -       1.13    1.13    1.13
pg_partman                    4.6.1   4.7.1   5.3.1   5.3.1   5.3.1
pg_prewarm                    1.2     1.2     1.2     1.2     1.2
pg_repack                     1.5.3   1.5.1   1.5.3   1.5.3   1.5.3
pg_squeeze                    1.9     1.9     1.9     1.9     1.9
pg_stat_statements            1.9     1.10    1.10    1.11    1.12
pg_trgm                       1.6     1.6     1.6     1.6     1.6
pg_visibility                 1.2     1.2     1.2     1.2     1.2
pgaudit                       1.6.2   1.7     16.0    16.0    18.0
pgcrypto                      1.3     1.3     1.3     1.3     1.4
pglogical                     2.4.1   2.4.2   2.4.4   2.4.5   2.4.6
pgrouting                     3.3.0   3.5.0   3.8.0   3.8.0   3.8.0
pgrowlocks                    1.2     1.2     1.2     1.2     1.2
pgstattuple                   1.5     1.5     1.5     1.5     1.5
plpgsql                       1.0     1.0     1.0     1.0     1.0
plv8                          3.2.4   3.1.7   3.2.4   3.2.4   3.2.4
postgis                       3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
postgis_raster                3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
postgis_sfcgal                3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
postgis_tiger_geocoder        3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
postgis_topology              3.6.1   3.5.2   3.6.1   3.6.1   3.6.1
postgres_fdw                  1.1     1.1     1.1     1.1     1.2
postgres_protobuf             0.2     0.2     0.2     0.2     0.2
semver                        0.32.0  0.32.0  0.41.0  0.41.0  0.41.0
session_variable              3.4     3.4     3.4     3.4     3.4
sslinfo                       1.2     1.2     1.2     1.2     1.2
tablefunc                     1.0     1.0     1.0     1.0     1.0
tdigest                       1.4.2   1.4.2   1.4.3   1.4.3   1.4.3
tds_fdw                       2.0.3   2.0.3   2.0.3   2.0.3   2.0.4
temporal_tables               1.2.2   -       1.2.2   1.2.2   1.2.2
timescaledb                   2.15.3  2.22.0  2.24.0  2.24.0  2.24.0
topn                          2.7.0   2.7.0   2.7.0   2.7.0   2.7.0
tsm_system_rows               1.0     1.0     1.0     1.0     1.0
tsm_system_time               1.0     1.0     1.0     1.0     1.0
unaccent                      1.1     1.1     1.1     1.1     1.1
uuid-ossp                     1.1     1.1     1.1     1.1     1.1
vector                        0.8.2   0.8.0   0.8.2   0.8.2   0.8.2
"""

_VERSIONS = {
    name: {major: version for major, version in zip(_COLUMNS, versions, strict=True) if version != "-"}
    for name, *versions in (line.split() for line in _TABLE.strip().splitlines())
}


def version_on(extension: str, major: str) -> str | None:
    """Return the version that a server of this major version carries, or None where it carries none.

    Args:
        extension: its name.
        major: of PostgreSQL, such as "16".
    """
    return _VERSIONS.get(extension, {}).get(major)
