"""Inside a workbook: its package, the number formats, the cells as the XML has them."""
