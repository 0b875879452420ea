"""Facts about Azure that the settings are checked against: tables, each with its source. No Pulumi, no I/O."""
