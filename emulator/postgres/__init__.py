"""PostgreSQL for the emulated flexible servers: backends that run it, and the gateway in front of them."""
