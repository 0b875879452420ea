# ruff: noqa: E501 - statements read better on one line
"""Somebody who turns what a user can define against the engine, and what of it ran as somebody else."""

from __future__ import annotations

import psycopg

from tests.postgres.vector_server import SUPERUSER, VectorDatabase

DENIED = psycopg.errors.InsufficientPrivilege

# What each of the attacker's functions leaves behind: as whom it ran.
TOOLS = """
    CREATE TABLE app.seen (who text, what text);
    GRANT INSERT ON app.seen TO PUBLIC;
    GRANT USAGE ON SCHEMA app TO PUBLIC;
    CREATE TYPE app.mood AS ENUM ('a', 'b', 'c');
    CREATE FUNCTION app.to_text(app.mood) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'text'); RETURN 'x'; END$$;
    CREATE FUNCTION app.to_json(app.mood) RETURNS json LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'json'); RETURN '1'; END$$;
    CREATE FUNCTION app.to_bigint(app.mood) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'bigint'); RETURN 1; END$$;
    CREATE FUNCTION app.fired() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, tg_name); RETURN NEW; END$$;
    CREATE FUNCTION app.visible(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.seen VALUES (current_user, 'policy'); RETURN true; END$$;
"""


def others(db: VectorDatabase, attacker: str = "application") -> list[tuple[str, str]]:
    """Return what ran as somebody else than the attacker."""
    with db.connect(SUPERUSER) as conn:
        return conn.execute("SELECT DISTINCT who, what FROM app.seen WHERE who <> %s", [attacker]).fetchall()
