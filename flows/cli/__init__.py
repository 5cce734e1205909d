"""The command line: parses arguments and prints. Imports use cases only."""
