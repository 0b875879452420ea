"""A hot standby of a test's server: a copy of its files that replays its WAL and takes read-only sessions.

WAL is shipped by segments, since the servers of these tests let nobody stream from them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from emulator.postgres.account import SHORT_FOLDER, Account
from emulator.postgres.process import Postmaster
from tests.postgres.vector_server import SUPERUSER, Connection, VectorDatabase

_PORT = 5432
"""Names the socket only: the standby listens on no address."""


class Standby:
    """Sessions on a standby, and when it has seen what the primary did."""

    def __init__(self, primary: VectorDatabase, socket: Path) -> None:
        self._primary = primary
        self._socket = socket

    def connect(self, user: str) -> Connection:
        return psycopg.connect(
            host=str(self._socket), hostaddr="", port=_PORT, user=user, dbname=self._primary.name, autocommit=True
        )

    def catch_up(self) -> None:
        """Ship the present segment, and wait until it is replayed."""
        with self._primary.connect(SUPERUSER) as primary, self.connect(SUPERUSER) as conn:
            row = primary.execute("SELECT pg_switch_wal()").fetchone()
            assert row is not None
            while conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (True,):
                pass


@contextmanager
def standby_of(primary: VectorDatabase) -> Iterator[Standby]:
    """Run a standby of a database's server until the block ends."""
    account = Account.choose()
    home = account.give(Path(tempfile.mkdtemp(prefix="postgres-genai-standby-", dir=SHORT_FOLDER)))
    data = home / "data"
    with primary.connect(SUPERUSER) as conn:
        folder = conn.execute("SHOW data_directory").fetchone()
        assert folder is not None
        source = Path(folder[0])
        conn.execute("SELECT pg_create_physical_replication_slot('standby', true)")  # keeps the segments until shipped
        conn.execute("SELECT pg_backup_start('standby', true)")
        _copy(source, data, account)
        label = conn.execute("SELECT labelfile FROM pg_backup_stop(false)").fetchone()
        assert label is not None
    (data / "backup_label").write_text(label[0])
    (data / "standby.signal").touch()
    for name in ("backup_label", "standby.signal"):
        account.give(data / name)
    postmaster = Postmaster(primary.server.installation, data, home / "log", account)
    try:
        postmaster.start([
            "-p", str(_PORT), "-c", "listen_addresses=", "-c", f"unix_socket_directories={home}",
            "-c", f'restore_command=cp "{source}/pg_wal/%f" "%p"', "-c", "wal_retrieve_retry_interval=50ms",
        ])  # fmt: skip
        yield Standby(primary, home)
    finally:
        postmaster.stop()
        shutil.rmtree(home)
        with primary.connect(SUPERUSER) as conn:
            conn.execute("SELECT pg_drop_replication_slot('standby')")


def _copy(source: Path, target: Path, account: Account) -> None:
    """Copy a running server's files; those that it removes meanwhile need not be there, the WAL brings them."""

    def copy(path: str, to: str) -> str:
        try:
            shutil.copyfile(path, to)
        except FileNotFoundError:
            return to
        account.give(Path(to))
        return to

    shutil.copytree(source, target, copy_function=copy, ignore=shutil.ignore_patterns("postmaster.*", "pg_replslot"))
    (target / "pg_replslot").mkdir()
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        account.give(folder)
        folder.chmod(0o700)
