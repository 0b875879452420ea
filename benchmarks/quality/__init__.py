"""A set of documents, queries and judgements by which searches are compared (Q1)."""
