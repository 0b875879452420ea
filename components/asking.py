"""Questions about what is there already, asked before anything is registered, with errors for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from components.mistakes import Mistake

T = TypeVar("T")

# How azure-native words a refusal: Status=404 Code="ResourceNotFound" (provider/pkg/azure/client_azcore.go).
_ABSENT = ("Status=404", "StatusCode=404", "NotFound")


class UnreadError(Exception):
    """What a setting names could not be read.

    Attributes:
        mistake: the setting, and what the service said.
    """

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def read(path: str, resource_id: str, question: Callable[[], T]) -> T:
    """Ask for what must be there.

    Args:
        path: setting that names it.
        resource_id: its ARM id, for the message.
        question: asks.

    Raises:
        UnreadError: it is not there, or may not be read.
    """
    try:
        return question()
    except Exception as error:
        why = "it is not there" if _says_absent(error) else _said(error)
        raise UnreadError(
            Mistake(path, f"{resource_id} cannot be read: {why}; look with `az resource show --ids {resource_id}`")
        ) from error


def read_if_there(path: str, resource_id: str, question: Callable[[], T]) -> T | None:
    """Ask for what may be there; None where it is not.

    Raises:
        UnreadError: it may not be read.
    """
    try:
        return question()
    except Exception as error:
        if _says_absent(error):
            return None
        raise UnreadError(Mistake(path, f"{resource_id} cannot be read: {_said(error)}")) from error


def _says_absent(error: Exception) -> bool:
    return any(mark in str(error) for mark in _ABSENT)


def _said(error: Exception) -> Any:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
