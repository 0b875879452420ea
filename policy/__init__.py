"""The policy pack: what a stack must be to pass, by environment, and what a change must not do unseen.

`rules/` says what is checked, one theme a file; `crossguard.py` makes a CrossGuard pack of it, which the engine runs on
what the program asks for. docs/policies.md is the table of all of it.
"""
