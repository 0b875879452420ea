"""Whether the vectorization engine is installed, and whether a job's source still is what the job was defined on."""

import psycopg

from database.connection import explained


def installed(conn: psycopg.Connection) -> bool:
    """Tell whether this database has the engine's schema."""
    with explained("looking for schema vectorize"):
        return conn.execute("SELECT to_regclass('vectorize.job') IS NOT NULL").fetchone() == (True,)


def damage(conn: psycopg.Connection, name: str) -> list[str]:
    """Return what stops a job from working, as the engine says it: a column, a trigger or the table is gone."""
    with explained(f"checking the source of job {name}"):
        rows = conn.execute(
            "SELECT vectorize.check_source(j.id) FROM vectorize.job AS j "
            "WHERE j.name = %s AND j.state <> 'removed' AND vectorize.is_live(j)",
            [name],
        ).fetchall()
    return [row[0] for row in rows if row[0] is not None]


def sweep(conn: psycopg.Connection, name: str) -> None:
    """Queue rows whose vectors are missing or stale: while a trigger or the column was gone, nobody noted changes."""
    with explained(f"comparing the vectors of job {name} with their rows"):
        conn.execute("CALL vectorize.verify(%s)", [name])
