"""A contract's own examples: the file that each one stands for, what reading it gives, and how that differs."""
