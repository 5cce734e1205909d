"""The table of a delivered file of any kind: its form, the names of its columns, how its values are written."""
