"""Azure Resource Manager: resources, long-running operations, and the rules that make real deployments fail."""
