"""What the settings name by id, read once at the start: before anything is registered, everything wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_azure_native import authorization

from components.asking import UnreadError
from components.found_account import FoundAccount, read_account
from components.found_server import FoundServer, read_server
from components.mistakes import Mistake, SettingsError
from components.settings import StackSettings
from components.subscriptions import Subscriptions


@dataclass(frozen=True, kw_only=True)
class Found:
    """The server and the accounts that are there; None for each that the stack makes."""

    server: FoundServer | None = None
    openai: FoundAccount | None = None
    language: FoundAccount | None = None

    @classmethod
    def look(cls, settings: StackSettings) -> Found:
        """Read what the settings name.

        Raises:
            SettingsError: names everything that cannot be read, or not be used as it is.
        """
        if not settings.existing.any_service:
            return cls()
        signed_in = authorization.get_client_config()
        questions = _questions(settings, Subscriptions(signed_in.subscription_id), signed_in.object_id)
        answers: dict[str, FoundServer | FoundAccount] = {}
        mistakes: list[Mistake] = []
        for name, question in questions.items():
            try:
                answers[name] = question()
            except UnreadError as error:
                mistakes.append(error.mistake)
        for answer in answers.values():
            mistakes += answer.mistakes(settings)
        if mistakes:
            raise SettingsError(pulumi.get_project(), pulumi.get_stack(), sorted(mistakes))
        for answer in answers.values():
            for remark in answer.remarks(settings):
                pulumi.log.warn(remark)
        return cls(**answers)  # type: ignore[arg-type]  # each question has its own kind of answer

    def applied_to(self, settings: StackSettings) -> StackSettings:
        """Return the settings with what is there in place of what is declared or left out."""
        update: dict[str, object] = {}
        if self.server is not None:
            update["server"] = settings.server.model_copy(update={"version": self.server.version})
        if self.openai is not None:
            update["deployments"] = {
                name: self.openai.as_deployed(name, declared) for name, declared in settings.deployments.items()
            }
        return settings.model_copy(update=update)


def _questions(
    settings: StackSettings, subscriptions: Subscriptions, deployer: str
) -> dict[str, Callable[[], FoundServer | FoundAccount]]:
    existing = settings.existing
    found: dict[str, Callable[[], FoundServer | FoundAccount]] = {}
    if existing.server is not None:
        provider = subscriptions.provider_of(existing.server)
        found["server"] = partial(read_server, existing.server, settings, deployer, provider)
    accounts = {"openai": existing.openai_account, "language": existing.language_account}
    for name, account_id in accounts.items():
        if account_id is not None:
            provider = subscriptions.provider_of(account_id)
            found[name] = partial(read_account, f"existing.{name}Account", account_id, settings, provider)
    return found
