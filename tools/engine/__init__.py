"""The Pulumi engine on this machine: found, downloaded or built, with a Python language host where it has none."""
