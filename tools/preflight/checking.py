"""All checks of a stack: who is signed in first, then everything else at the same time, within a limit of seconds."""

from __future__ import annotations

import datetime as dt
import queue
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tools.preflight import (
    accounts,
    dns_zones,
    existing,
    extensions,
    models,
    names,
    registrations,
    rights,
    servers,
    sign_in,
)
from tools.preflight.finding import PROBLEM, UNKNOWN, Finding, exit_status, worst
from tools.preflight.resource_manager import NotReadError, ResourceManager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tools.preflight.wanted import Wanted

    Check = Callable[[], Sequence[Finding]]

T = TypeVar("T")

SECONDS = 9.0


@dataclass(frozen=True)
class Report:
    """What all checks found, in their order."""

    stack: str
    location: str
    subscription: str
    findings: Sequence[Finding]
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """What it all comes to."""
        return worst(self.findings)

    @property
    def exit_status(self) -> int:
        """The command's exit status."""
        return exit_status(self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the report as data; the keys stay as they are."""
        return {
            "stack": self.stack,
            "location": self.location,
            "subscription": self.subscription,
            "status": self.status,
            "seconds": round(self.seconds, 1),
            "checks": [finding.to_json() for finding in self.findings],
        }


def report(
    wanted: Wanted,
    stack: str,
    config: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    retirement_days: int = models.RETIREMENT_DAYS,
    seconds: float = SECONDS,
) -> Report:
    """Check everything that a stack wants.

    Args:
        wanted: what it wants.
        stack: its name.
        config: its checked-in config, whose keys may name the subscription.
        environment: this process's, whose variables name the cloud, the identity and the subscription.
        retirement_days: warn of a model that retires within so many days.
        seconds: how long all of it may take; what is not answered by then is unknown.

    Raises:
        RunError: the environment names a cloud or an endpoint that there is not.
    """
    from azure.identity import DefaultAzureCredential

    from components.cloud import cloud

    began = time.monotonic()
    here = cloud()
    credential = DefaultAzureCredential(process_timeout=int(seconds))
    subscription = sign_in.subscription_of(config, environment)

    def finish(findings: Sequence[Finding]) -> Report:
        return Report(stack, wanted.location, subscription, findings, time.monotonic() - began)

    def left() -> float:
        return seconds - (time.monotonic() - began)

    try:
        caller = within(left(), partial(sign_in.caller_of, credential, here))
    except NotReadError as error:
        return finish([sign_in.nobody(error.reason)])
    if not subscription:
        return finish([sign_in.no_subscription()])
    manager = ResourceManager(here, credential, subscription)
    first = at_once({sign_in.CHECK: partial(sign_in.check, manager, caller, here, wanted.tenant)}, left())
    if worst(first) in (PROBLEM, UNKNOWN):
        return finish(first)
    return finish([*first, *at_once(_checks(wanted, manager, caller, retirement_days), left())])


def _checks(wanted: Wanted, manager: ResourceManager, caller: sign_in.Caller, retirement_days: int) -> dict[str, Check]:
    today = dt.datetime.now(dt.UTC).date()
    return {
        rights.CHECK: partial(rights.check, wanted, manager, caller),
        existing.CHECK: partial(existing.check, wanted, manager, caller),
        registrations.CHECK: partial(registrations.check, wanted, manager),
        servers.CHECK: partial(servers.check, wanted, manager),
        extensions.CHECK: partial(extensions.check, wanted, manager),
        accounts.CHECK: partial(accounts.check, wanted, manager),
        models.MODELS: partial(models.check, wanted, manager, today, retirement_days),
        names.CHECK: partial(names.check, wanted, manager),
        dns_zones.CHECK: partial(dns_zones.check, wanted, manager),
    }


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Return the answer to a question that comes within some seconds; a later one is dropped.

    Raises:
        NotReadError: there is none, or none in time.
    """
    answers: queue.Queue[tuple[T | None, NotReadError | None]] = queue.Queue()

    def run() -> None:
        try:
            answers.put((ask(), None))
        except NotReadError as error:
            answers.put((None, error))

    threading.Thread(target=run, name="question", daemon=True).start()
    try:
        answer, error = answers.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise NotReadError(f"no answer within {seconds:.0f} s") from None
    if error:
        raise error
    return cast("T", answer)


def at_once(checks: Mapping[str, Check], seconds: float) -> list[Finding]:
    """Run checks beside each other and return what they found, in the order of the checks.

    Args:
        checks: by name; one that raises NotReadError could not be made.
        seconds: how long to wait for all of them; a late one runs on in its thread, and its answer is dropped.
    """
    answers: queue.Queue[tuple[str, list[Finding]]] = queue.Queue()
    for name, check in checks.items():
        threading.Thread(target=_answer, args=(name, check, answers), name=name, daemon=True).start()
    found: dict[str, list[Finding]] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(checks):
        try:
            name, findings = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = findings
    late = f"Azure did not answer within {seconds:.0f} s"
    return [finding for name in checks for finding in found.get(name, [_unread(name, late)])]


def _answer(name: str, check: Check, answers: queue.Queue[tuple[str, list[Finding]]]) -> None:
    try:
        findings = list(check())
    except NotReadError as error:
        findings = [_unread(name, error.reason)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # One answer in another shape than the specification's must not hide what the other checks found.
        findings = [_unread(name, f"the answer was not understood ({type(error).__name__}: {error})")]
    answers.put((name, findings))


def _unread(name: str, reason: str) -> Finding:
    return Finding(
        check=name,
        status=UNKNOWN,
        found=f"Not checked: {reason.rstrip('.')}.",
        do="Mend that and run it again, or look by hand (docs/first-deployment.md).",
    )
