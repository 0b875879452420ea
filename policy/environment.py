"""Which environment a stack is: decided here, from the tag `environment` in its config, and nowhere else.

The stack's name decides nothing: a stack says in `Pulumi.<stack>.yaml` what it is, where a reviewer sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

TAG = "environment"
Environment = Literal["dev", "staging", "prod"]
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)

_NAMES: dict[str, Environment] = {
    **{environment: environment for environment in ENVIRONMENTS},
    "local": "dev",
    "test": "dev",
    "development": "dev",
    "production": "prod",
}


def environment_of(tags: Mapping[str, object]) -> Environment:
    """Return the environment that the tags name; prod, the strictest, where they name none that is known."""
    return _NAMES.get(str(tags.get(TAG, "")).lower(), "prod")
