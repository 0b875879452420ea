"""Dynamic resources: thin, stateless, importable classes over `database/`. No SQL here.

The module path and the name of every provider class are stored in stacks' state: on a move, leave an alias behind.
"""
