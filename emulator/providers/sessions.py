"""What one engine configured: several engines, or several stacks, share these providers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Lock

_KEPT = 256


@dataclass(frozen=True)
class Session:
    """One connection of an engine.

    Attributes:
        config: The provider's configuration, without the prefix `azure-native:config:`.
        cancelled: Set when the engine asks to stop.
    """

    config: Mapping[str, str] = field(default_factory=dict)
    cancelled: Event = field(default_factory=Event)


class Sessions:
    """The sessions by the address that an engine's connection comes from."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_peer: OrderedDict[str, Session] = OrderedDict()

    def configure(self, peer: str, config: Mapping[str, str]) -> None:
        """Begin a session."""
        with self._lock:
            self._by_peer.pop(peer, None)
            self._by_peer[peer] = Session(dict(config))
            while len(self._by_peer) > _KEPT:
                self._by_peer.popitem(last=False)

    def of(self, peer: str) -> Session:
        """Return a connection's session, or the latest one when a connection was made anew."""
        with self._lock:
            return self._by_peer.get(peer) or next(reversed(self._by_peer.values()), Session())

    def cancel(self, peer: str) -> None:
        """End the waits of one engine, and of no other."""
        with self._lock:
            session = self._by_peer.get(peer)
        if session:
            session.cancelled.set()
