"""The configuration files that the emulator writes into a data directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

SUPERUSER = "azuresu"
"""The emulator's own superuser; it has no password, so nobody reaches it but over the private socket."""

HBA = """\
# Written by the emulator. The socket's folder is private to the account that runs PostgreSQL.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""

_SMALL_SHARED_MEMORY_BYTES = 1 << 30


CERTIFICATE, KEY = "emulator_tls.pem", "emulator_tls.key"
"""Files in the data directory of a server that speaks TLS itself."""


def postgresql_conf(locale: str, *, tls: bool = False) -> str:
    """Return the server's base configuration; what is set through the API is in postgresql.auto.conf.

    Errors of statements stay out of the log, since their texts can hold keys, passwords and rows. fsync is off:
    a crash of the machine can lose an emulated server, a crash of its processes cannot.
    """
    encryption = f"ssl = on\nssl_cert_file = '{CERTIFICATE}'\nssl_key_file = '{KEY}'\n" if tls else ""
    return f"""\
# Written by the emulator at every start; parameters set through the API are in postgresql.auto.conf.
azure.extensions = ''
max_connections = 200
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
default_text_search_config = 'pg_catalog.english'
lc_messages = 'C'
lc_monetary = '{locale}'
lc_numeric = '{locale}'
lc_time = '{locale}'
fsync = off
dynamic_shared_memory_type = '{_shared_memory()}'
log_line_prefix = '%m [%p] '
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
{encryption}"""


def _shared_memory() -> str:
    """Return `mmap` where /dev/shm is too small for a parallel index build, as in a container's 64 MB."""
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - looked at, not written
    except OSError:
        return "posix"
    return "posix" if status.f_bavail * status.f_frsize >= _SMALL_SHARED_MEMORY_BYTES else "mmap"


def system_locales() -> list[str]:
    """Return the names of the locales that the system has; minimal ones have few."""
    try:
        return subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        return []


def nearest_locale(wanted: str, installed: Iterable[str]) -> str:
    """Return the installed name of a locale, or of the nearest that there is: en_US.UTF-8, C.UTF-8, then C."""
    names = {_plain(name): name for name in installed}
    for name in (wanted, "en_US.UTF-8", "C.UTF-8"):
        if _plain(name) in names:
            return names[_plain(name)]
    return "C"


def _plain(locale: str) -> str:
    """Return a locale's name without case and hyphens, since `UTF-8`, `utf8` and `UTF8` are one."""
    return locale.lower().replace("-", "")
