"""The table of resource types for docs/resource-types.md: `python -m emulator types` prints it."""

# ruff: noqa: E501
# The page's lines are as long as those of the other pages.

from __future__ import annotations

from collections.abc import Mapping

from emulator.providers.resource_types import RESOURCE_TYPES, ResourceType

_INTRODUCTION = """# Resource types

What of pulumi-azure-native 3.29.0 this project knows: the types that its stacks use and a few beside them, and what a change of an input does. `python -m emulator types` prints this page from
[`emulator/providers/resource_types.yaml`](../emulator/providers/resource_types.yaml); a test holds the two together, and each entry to the installed package.

Every name in a resource's path replaces it: its resource group, its parents, its own name. Besides, the provider replaces for the inputs of the fourth column; `spec` means that the API's
specification has them as settable at creation alone, `map` that they stand in a list in the provider's source. Azure refuses to change those of the last column, and the provider tries all
the same: the update fails, unless the program says `replace_on_changes` or keeps the change from happening. Nothing here was seen on Azure itself.

How it was established: the API version and the names in the path are the installed package's own, which tests compare; the fourth column was read in the specification or in the provider's source
and has which of the two beside each input; the last column has its source too. What the package itself knows - names, kinds of values, what is required - is not repeated here:
`tests/components/test_schema_truth.py` holds every argument of every checked-in stack to the package's types, and the emulator's provider refuses what they do not have.
"""
_HEAD = "| type | in Azure | API version | replaced for | refused by Azure |\n|---|---|---|---|---|\n"


def table() -> str:
    """Return the page."""
    rows = [_row(RESOURCE_TYPES[token]) for token in sorted(RESOURCE_TYPES)]
    return f"{_INTRODUCTION}\n{_HEAD}{''.join(rows)}"


def _row(entry: ResourceType) -> str:
    namespace, *segments = entry.path.rpartition("/providers/")[2].split("/")
    arm = "/".join([namespace, *segments[::2]]) if "/providers/" in entry.path else "Microsoft.Resources/resourceGroups"
    cells = (
        f"`{entry.module}:{entry.name}`",
        f"`{arm}`",
        entry.api_version,
        _list(entry.force_new),
        _list(entry.refused),
    )
    return f"| {' | '.join(cells)} |\n"


def _list(sources: Mapping[str, str]) -> str:
    by_source: dict[str, list[str]] = {}
    for name, source in sources.items():
        by_source.setdefault(source, []).append(f"`{name}`")
    return "; ".join(f"{', '.join(names)} ({source})" for source, names in by_source.items()) or "-"
