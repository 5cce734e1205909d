"""What things are: the shared schema, the contracts, the errors. No I/O beyond reading its own YAML."""
