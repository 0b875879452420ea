"""Settings of content filters: what a model deployment refuses to read or to write."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.section import Listed, Section, one_of

# The service's own, in every account (azure-ai-docs, "Content filtering").
SYSTEM_FILTERS = ("Microsoft.Default", "Microsoft.DefaultV2")
# What the four categories of harm are called in a policy (cognitiveservices 2025-06-01, RaiPolicy).
CATEGORIES = {"hate": "Hate", "sexual": "Sexual", "violence": "Violence", "self_harm": "Selfharm"}
# Shields and whether they look at what a model reads or at what it writes (azure-ai-docs, "Content filtering").
SHIELDS = {
    "Jailbreak": "Prompt",
    "Indirect Attack": "Prompt",
    "Protected Material Text": "Completion",
    "Protected Material Code": "Completion",
}
MODES = {"blocking": "Blocking", "asynchronous": "Asynchronous_filter"}

Severity = Annotated[str, AfterValidator(one_of("Low", "Medium", "High"))]


class ContentFilterSettings(Section):
    """A content filter of the stack's own. Low is the strictest: it refuses what is harmful in a low degree too."""

    base: Annotated[str, AfterValidator(one_of(*SYSTEM_FILTERS))] = Field(
        default="Microsoft.DefaultV2", description=f"Filter that it builds on: {', '.join(SYSTEM_FILTERS)}."
    )
    mode: Annotated[str, AfterValidator(one_of(*MODES))] = Field(
        default="blocking", description="blocking, or asynchronous: text is sent before it was looked at."
    )
    hate: Severity = Field(default="Medium", description="Degree from which on it is refused: Low, Medium, High.")
    sexual: Severity = Field(default="Medium", description="The same.")
    violence: Severity = Field(default="Medium", description="The same.")
    self_harm: Severity = Field(default="Medium", description="The same.")
    shields: Listed[Annotated[str, AfterValidator(one_of(*SHIELDS))]] = Field(
        default=("Jailbreak", "Protected Material Text"), description=f"What else is refused: {', '.join(SHIELDS)}."
    )
