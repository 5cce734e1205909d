"""What obligations ask, as registers and inventories describe them: one module for each of their formats."""
