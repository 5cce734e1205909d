"""The shape of a delivered table: header rows, notes, several sheets, columns that become rows."""
