"""The rate limits of model deployments: a token bucket for tokens and one for requests.

Capacity 1 is 1,000 tokens and 6 requests a minute (azure-ai-docs, "Manage Azure OpenAI quota"). The service counts
tokens before it knows them, from the number of characters, and judges requests over windows of 1 or 10 seconds (same
page); here both are judged over one second. A request larger than a second's share of tokens is admitted whenever the
bucket is not in debt, and leaves it in debt; otherwise it could never be served.
"""

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_TOKENS_PER_MINUTE = 1_000
_REQUESTS_PER_MINUTE = 6
_WINDOW_SECONDS = 1.0
# A client that sends exactly at its rate is a little early now and then; it is not refused for that.
_EARLY = 0.1


@dataclass(frozen=True)
class Remaining:
    """What a deployment may still be asked for at once."""

    tokens: int
    requests: int


class Throttled(Exception):
    """A request above a limit.

    Attributes:
        limit: `token rate limit` or `call rate limit`, as the service says it.
        seconds: How long to wait.
    """

    def __init__(self, limit: str, seconds: float) -> None:
        super().__init__(f"{limit}: wait {seconds:.3f} s")
        self.limit = limit
        self.seconds = seconds

    @property
    def whole_seconds(self) -> int:
        """Return the wait as `Retry-After` has it."""
        return max(1, math.ceil(self.seconds))

    @property
    def milliseconds(self) -> int:
        """Return the wait as `Retry-After-Ms` has it."""
        return max(1, math.ceil(self.seconds * 1000))


@dataclass
class _Level:
    tokens: float
    requests: float
    at: float


class Quota:
    """The buckets of every deployment; safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets; `clock` gives seconds."""
        self._clock = clock
        self._levels: dict[tuple[str, str], _Level] = {}
        self._lock = threading.Lock()

    def take(self, account: str, deployment: str, capacity: int, tokens: int) -> Remaining:
        """Take one request and an estimate of its tokens out of a deployment's buckets.

        Args:
            account: The account's resource id.
            deployment: The deployment's name.
            capacity: The deployment's present capacity, in thousands of tokens a minute.
            tokens: Estimated tokens of the request.

        Raises:
            Throttled: A bucket is empty; nothing was taken.
        """
        token_rate = capacity * _TOKENS_PER_MINUTE / 60
        request_rate = capacity * _REQUESTS_PER_MINUTE / 60
        token_burst = token_rate * _WINDOW_SECONDS
        request_burst = max(1.0, request_rate * _WINDOW_SECONDS)
        with self._lock:
            now = self._clock()
            level = self._levels.setdefault((account, deployment), _Level(token_burst, request_burst, now))
            elapsed = max(0.0, now - level.at)
            level.tokens = min(token_burst, level.tokens + elapsed * token_rate)
            level.requests = min(request_burst, level.requests + elapsed * request_rate)
            level.at = now
            if level.requests < 1 - _EARLY:
                raise Throttled("call rate limit", (1 - level.requests) / request_rate)
            if level.tokens <= 0:
                raise Throttled("token rate limit", (1 - level.tokens) / token_rate)
            level.requests -= 1
            level.tokens -= tokens
            return Remaining(max(0, int(level.tokens)), max(0, int(level.requests)))


class RequestQuota:
    """Limits of requests a minute; a whole minute's may come at once. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets; `clock` gives seconds."""
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, who: Hashable, per_minute: int) -> None:
        """Take one request out of somebody's bucket.

        Raises:
            Throttled: It is empty; nothing was taken.
        """
        with self._lock:
            now = self._clock()
            level, at = self._levels.get(who, (float(per_minute), now))
            level = min(float(per_minute), level + max(0.0, now - at) * per_minute / 60)
            if level < 1 - _EARLY:
                self._levels[who] = (level, now)
                raise Throttled("call rate limit", (1 - level) * 60 / per_minute)
            self._levels[who] = (level - 1, now)


def estimate_tokens(characters: int) -> int:
    """Return the tokens that the limiter charges for so many characters.

    The service's formula is not published; 4 characters a token is OpenAI's rule of thumb for English. Unverified.
    """
    return max(1, math.ceil(characters / 4))
