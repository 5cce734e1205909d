"""What the text of a cell means: its source and map, dates, periods, units, marks of figures."""
