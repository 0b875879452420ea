"""The rules, one theme a file. Where a rule names a source by a short code, docs/policies.md says what the code is."""

from policy.rules import (
    ai_accounts,
    ai_deployments,
    server_network,
    server_parameters,
    server_protection,
    server_resilience,
    server_sign_in,
    stack,
)

RULES = (
    *server_network.RULES,
    *server_sign_in.RULES,
    *server_resilience.RULES,
    *server_parameters.RULES,
    *server_protection.RULES,
    *ai_accounts.RULES,
    *ai_deployments.RULES,
    *stack.RULES,
)
