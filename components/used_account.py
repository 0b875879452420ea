"""UsedAccount: an AI account as the rest of a stack uses it, whether the stack made it or it was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_azure_native import cognitiveservices as cs

from components.computed import computed, group_and_name, in_preview, name_of
from components.found_account import FoundAccount


@dataclass(frozen=True, kw_only=True)
class UsedAccount:
    """What every account gives.

    Attributes:
        id: its ARM id.
        name: its name.
        group: name of its resource group.
        kind: OpenAI, AIServices or TextAnalytics.
        endpoint: where it answers.
        key: asks for the first or the second of its keys; the answer is a secret.
        made: the account where the stack made it, which takes its children along; None where it was there.
        provider: provider for its subscription, or None for the default one.
    """

    id: pulumi.Input[str]
    name: pulumi.Input[str]
    group: pulumi.Input[str]
    kind: str
    endpoint: pulumi.Output[str]
    key: Callable[[int], pulumi.Output[str]]
    made: cs.Account | None = None
    provider: pulumi.ProviderResource | None = None

    @property
    def resources(self) -> list[pulumi.Resource]:
        """Return what the first change of it waits for."""
        return [self.made] if self.made is not None else []

    def child(self, parent: pulumi.Resource, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of what is made in it or on it."""
        return pulumi.ResourceOptions(
            parent=parent, depends_on=list(after), deleted_with=self.made, provider=self.provider
        )


def account_that_is_made(account: cs.Account, group: pulumi.Input[str], kind: str) -> UsedAccount:
    """Return an account of the stack's own."""
    return UsedAccount(
        id=account.id,
        name=name_of(account),
        group=group,
        kind=kind,
        endpoint=computed(account, account.properties, "endpoint", _endpoint),
        # The provider does not mark keys as secrets (pulumi-azure-native #1693).
        # In a preview of a stack that turns to keys, the account still refuses to list them: then they are unknown.
        key=lambda number: pulumi.Output.secret(account.id.apply(partial(in_preview, partial(_key, number)))),
        made=account,
    )


def account_that_is_there(found: FoundAccount) -> UsedAccount:
    """Return an account of somebody else's."""
    return UsedAccount(
        id=found.id,
        name=found.name,
        group=found.group,
        kind=found.kind,
        endpoint=pulumi.Output.from_input(found.endpoint),
        key=lambda number: pulumi.Output.secret(found.key(number)),
        provider=found.provider,
    )


def _endpoint(account_id: str) -> str:
    group, account = group_and_name(account_id)
    found = cs.get_account(account_name=account, resource_group_name=group)
    return str(found.properties.endpoint)


def _key(number: int, account_id: str) -> str:
    """Return the first or the second of an account's keys, both of which are always good."""
    group, account = group_and_name(account_id)
    keys = cs.list_account_keys(account_name=account, resource_group_name=group)
    return str(keys.key1 if number == 1 else keys.key2)
