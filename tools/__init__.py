"""The command line behind `make`: set-up, the stack's life, and looking into its database."""
