"""A data directory as a new server has it, made once and copied for every server."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from emulator.postgres.account import SHORT_FOLDER, Account
from emulator.postgres.backend import BackendError
from emulator.postgres.configuration import HBA, SUPERUSER, postgresql_conf
from emulator.postgres.installation import Installation
from emulator.postgres.process import Postmaster

_SQL = Path(__file__).parent / "sql"
_DATABASES = ("azure_sys", "azure_maintenance")
_PRELOADED = ("pg_cron", "pg_stat_statements")
"""The service's default of shared_preload_libraries (azure-databases-docs, server parameters, PostgreSQL 16 and 18)."""


def template(installation: Installation, account: Account, private_cache: Path) -> Path:
    """Return the folder of the template for a version, made now if the cache has none.

    Args:
        installation: The version's programs.
        account: Whom the template belongs to.
        private_cache: Where it goes if the account's own cache cannot be written.

    Raises:
        BackendError: It cannot be made; the text says what failed.
    """
    locale = installation.locale()
    content = "\0".join((installation.version, locale, HBA, *(p.read_text() for p in sorted(_SQL.glob("*.sql")))))
    digest = hashlib.sha256(content.encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    name = f"{installation.version}-{digest}"
    for cache in (account.cache_folder(), private_cache):
        if (cache / name).is_dir():
            return cache / name
    cache = account.cache_folder() if _is_writable(account, account.cache_folder()) else private_cache
    target = cache / name
    try:
        account.make_open_folder(cache)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as scratch:
            account.make_private_folder(Path(scratch))
            data = Path(scratch) / "data"
            _initialise(installation, account, data, locale)
            _fill(installation, account, data, Path(scratch) / "log")
            try:
                data.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was faster, and its template is as good
                    raise
    except (OSError, psycopg.Error) as error:
        raise BackendError(
            f"cannot make the template of a PostgreSQL {installation.version} server: {error}"
        ) from error
    return target


def _is_writable(account: Account, folder: Path) -> bool:
    """Return whether files can be made in a folder, which is made if there is none."""
    try:
        return os.access(account.make_open_folder(folder), os.W_OK | os.X_OK)
    except OSError:
        return False


def copy_template(source: Path, target: Path, account: Account) -> None:
    """Copy a template to a data directory, whole or not at all.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, copy_function=shutil.copyfile)
    if account.foreign:
        for folder, _, files in os.walk(partial):
            os.chown(folder, account.uid, account.gid)
            for name in files:
                os.chown(Path(folder) / name, account.uid, account.gid)
    partial.chmod(0o700)
    partial.rename(target)


def _initialise(installation: Installation, account: Account, data: Path, locale: str) -> None:
    """Run initdb."""
    command = [*installation.initdb_command(), "--pgdata", str(data), "--username", SUPERUSER, "--auth", "trust"]
    command += ["--encoding", "UTF8", "--locale", locale, "--data-checksums"]
    result = subprocess.run(
        [*command, "--no-sync", "--no-instructions"],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | installation.environment(),
        cwd=data.parent,
        **account.process_options(),
    )
    if result.returncode != 0:
        raise BackendError(f"initdb of PostgreSQL {installation.version} failed: {result.stderr.strip()[-800:]}")
    (data / "pg_hba.conf").write_text(HBA)
    (data / "postgresql.conf").write_text(postgresql_conf(locale))


def _fill(installation: Installation, account: Account, data: Path, log: Path) -> None:
    """Make the roles, the service's databases and the rules for extensions, then stop cleanly."""
    with tempfile.TemporaryDirectory(prefix="pgg-", dir=SHORT_FOLDER) as socket:
        account.give(Path(socket))
        postmaster = Postmaster(installation, data, log, account)
        postmaster.start(["-c", "listen_addresses=", "-c", f"unix_socket_directories={socket}"])
        try:
            with _connect(socket, "postgres") as connection:
                for file in ("roles.sql", "principals.sql"):
                    connection.execute((_SQL / file).read_bytes())
                for database in _DATABASES:
                    connection.execute(f"CREATE DATABASE {database}".encode())
                connection.execute(b"REVOKE ALL ON DATABASE azure_maintenance FROM PUBLIC")
                connection.execute(b"ALTER DATABASE postgres OWNER TO azure_pg_admin")
                connection.execute(f"ALTER SYSTEM SET shared_preload_libraries = {', '.join(_PRELOADED)}".encode())
                connection.execute(b"ALTER DATABASE template0 ALLOW_CONNECTIONS true")
            # template0 too, or a database made from it would know no allowlist.
            for database in ("postgres", "template1", "template0", *_DATABASES):
                with _connect(socket, database) as connection:
                    connection.execute((_SQL / "allowlist.sql").read_bytes())
            with _connect(socket, "postgres") as connection:
                connection.execute(b"ALTER DATABASE template0 ALLOW_CONNECTIONS false")
                connection.execute(b"CHECKPOINT")
        finally:
            postmaster.stop()


def _connect(socket: str, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=socket, hostaddr="", options="", user=SUPERUSER, dbname=database, autocommit=True)
