"""What happens inside PostgreSQL: plain psycopg, usable with and without Pulumi."""
