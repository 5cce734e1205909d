"""The bytes of a draft in the format that a contract reads."""
