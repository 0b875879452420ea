"""Pulumi components of postgres-genai, one concept a file."""
