"""The Azure AI Language data plane: small heuristics behind the service's own contract."""
