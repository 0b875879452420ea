"""A small catalogue of server parameters: type, default, allowed values, static or not.

Source: MicrosoftDocs/azure-databases-docs, server-parameters/includes/param-16-*.md (2025-05 to 2025-12), PgBouncer's
from param-11-pgbouncer.md (2026-01). Azure ignores
a parameter that is set to its default and then reports a difference for ever (pulumi-azure-native #4736), so the
default must be known. A parameter that is not here is passed on as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["boolean", "integer", "numeric", "enumeration", "string", "set"]


@dataclass(frozen=True)
class Parameter:
    """One parameter. `default` None depends on the server's size; `unit` is what a bare number counts."""

    name: str
    kind: Kind
    default: str | None
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    static: bool = False
    read_only: bool = False
    unit: str = ""

    def normalise(self, value: object) -> str:
        """Return the value as Azure spells it.

        Raises:
            ValueError: the value does not fit; the message says what does.
        """
        if self.read_only:
            raise ValueError("is read-only on a flexible server: leave it out")
        text = _text(value)
        if self.kind == "boolean":
            return self._boolean(text)
        if self.kind in ("integer", "numeric"):
            return self._number(text)
        return self._one_of_allowed(text) if self.kind == "enumeration" else text

    def _one_of_allowed(self, text: str) -> str:
        for spelling in self.allowed:
            if spelling.lower() == text.lower():
                return spelling
        raise ValueError(f"{text!r} is not allowed; allowed: {', '.join(self.allowed)}")

    def _boolean(self, text: str) -> str:
        true, false = self.allowed or ("on", "off")
        if text.lower() in ("on", "true", "yes", "1"):
            return true
        if text.lower() in ("off", "false", "no", "0"):
            return false
        raise ValueError(f"{text!r} is not allowed; allowed: {true}, {false}")

    def _number(self, text: str) -> str:
        what = "a whole number" if self.kind == "integer" else "a number"
        if not re.fullmatch(r"-?\d+" if self.kind == "integer" else r"-?\d+(\.\d+)?", text):
            unit = f" of {self.unit}, without a unit" if self.unit else ""
            raise ValueError(f"{text!r} is not {what}{unit}")
        number = float(text)
        if self.minimum is not None and self.maximum is not None and not self.minimum <= number <= self.maximum:
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(f"{text} is outside {self.minimum:.10g} to {self.maximum:.10g}{unit}")
        return text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float, str)):
        return str(value).strip()
    raise ValueError("must be text, a number or a boolean")


def _integer(name: str, default: str | None, low: int, high: int, unit: str = "", *, static: bool = False) -> Parameter:
    return Parameter(name, "integer", default, minimum=low, maximum=high, unit=unit, static=static)


_MAX = 2_147_483_647
_LEVELS = (*(f"debug{n}" for n in range(5, 0, -1)), "info", "notice", "warning", "error", "log", "fatal", "panic")

PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Parameter("azure.extensions", "set", ""),
        Parameter("shared_preload_libraries", "set", None, static=True),
        Parameter("cron.database_name", "string", "postgres", static=True),
        Parameter("require_secure_transport", "boolean", "on"),
        Parameter("ssl_min_protocol_version", "enumeration", "TLSv1.2", ("TLSv1.2", "TLSv1.3")),
        Parameter("connection_throttle.enable", "boolean", "off"),
        Parameter("pgbouncer.enabled", "boolean", "false", ("true", "false")),
        Parameter("pgbouncer.pool_mode", "enumeration", "transaction", ("session", "transaction", "statement")),
        _integer("pgbouncer.default_pool_size", "50", 1, 4950),
        _integer("pgbouncer.min_pool_size", "0", 0, 4950),
        _integer("pgbouncer.max_client_conn", "5000", 1, 50_000),
        _integer("pgbouncer.max_prepared_statements", "0", 0, 5000),
        _integer("pgbouncer.query_wait_timeout", "120", 0, 86_400, "seconds"),
        _integer("pgbouncer.server_idle_timeout", "600", 0, 86_400, "seconds"),
        Parameter("log_checkpoints", "boolean", "on"),
        Parameter("log_connections", "boolean", "on"),
        Parameter("log_disconnections", "boolean", "on"),
        _integer("logfiles.retention_days", "3", 1, 7, "days"),
        Parameter("log_min_messages", "enumeration", "warning", _LEVELS),
        Parameter("log_min_error_statement", "enumeration", "error", _LEVELS),
        _integer("log_min_duration_statement", "-1", -1, _MAX, "milliseconds"),
        _integer("max_connections", None, 25, 5000, static=True),
        _integer("max_prepared_transactions", "0", 0, 262_143, static=True),
        _integer("shared_buffers", None, 16, 1_073_741_823, "8 kB pages", static=True),
        _integer("maintenance_work_mem", None, 1024, 2_097_151, "kB"),
        _integer("work_mem", "4096", 4096, 2_097_151, "kB"),
        _integer("autovacuum_work_mem", "-1", -1, 2_097_151, "kB"),
        _integer("temp_buffers", "1024", 100, 1_073_741_823, "8 kB pages"),
        Parameter("hash_mem_multiplier", "numeric", "2", minimum=1, maximum=1000),
        _integer("statement_timeout", "0", 0, _MAX, "milliseconds"),
        _integer("lock_timeout", "0", 0, _MAX, "milliseconds"),
        _integer("idle_in_transaction_session_timeout", "0", 0, _MAX, "milliseconds"),
        _integer("idle_session_timeout", "0", 0, _MAX, "milliseconds"),
        Parameter("wal_level", "enumeration", "replica", ("replica", "logical"), static=True),
        Parameter("wal_compression", "enumeration", "on", ("pglz", "lz4", "on", "off")),
        Parameter("huge_pages", "enumeration", "try", ("on", "off", "try"), static=True),
        Parameter("row_security", "boolean", "on"),
        Parameter("fsync", "boolean", "on", read_only=True),
        Parameter("full_page_writes", "boolean", "on", read_only=True),
        Parameter("synchronous_commit", "enumeration", "on", read_only=True),
        Parameter("listen_addresses", "string", "*", read_only=True),
        Parameter("port", "integer", "5432", read_only=True),
    )
}
