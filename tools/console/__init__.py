"""`console`: the stack's jobs, quota, failures and search as one page in a browser, served on this machine alone."""
