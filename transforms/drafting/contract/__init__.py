"""A contract drafted from a table: what each column is, and the text of the contract with the evidence."""
