"""The tables of facts agree with themselves."""

from __future__ import annotations

import pytest

from components.catalogue import extensions, models, parameters, server_sizes


def test_every_default_is_a_value_that_the_parameter_takes() -> None:
    for parameter in parameters.PARAMETERS.values():
        if parameter.default is not None and not parameter.read_only:
            assert parameter.normalise(parameter.default) == parameter.default, parameter.name


def test_every_extension_that_a_table_names_is_known() -> None:
    assert set(extensions.PRELOADS) <= extensions.KNOWN
    assert set(extensions.PRELOADS.values()) <= extensions.allowed_preloads()
    assert set(extensions.ALIASES.values()) <= extensions.KNOWN
    for extension, needed in extensions.REQUIRES.items():
        assert {extension, *needed} <= extensions.KNOWN
    for version in server_sizes.VERSIONS:
        assert set(extensions.default_preloads(version)) <= extensions.allowed_preloads()


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("Standard_B1ms", "Burstable"),
        ("Standard_B2s", "Burstable"),
        ("Standard_D2s_v3", "GeneralPurpose"),
        ("Standard_D4ads_v5", "GeneralPurpose"),
        ("Standard_E96ds_v5", "MemoryOptimized"),
        ("Standard_E20ds_v4", "MemoryOptimized"),
        ("Standard_F2", None),
        ("B2s", None),
    ],
)
def test_a_size_belongs_to_one_tier(name: str, tier: str | None) -> None:
    assert server_sizes.tier_of(name) == tier
    assert sum(bool(pattern.match(name)) for pattern, _ in server_sizes.TIERS.values()) == (1 if tier else 0)


def test_embedding_models_have_a_price_and_others_no_dimensions() -> None:
    for model in models.MODELS.values():
        has_price = model.price_per_million_tokens is not None
        assert model.embeds == has_price == model.name.startswith("text-embedding")
