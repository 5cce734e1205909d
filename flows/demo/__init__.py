"""A month of invented deliveries and the report on them. Only the command line imports it."""
