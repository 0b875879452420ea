"""What has to be true of a subscription and a region before a stack can come up, read without changing anything."""
