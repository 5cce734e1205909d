"""The tree that states the fate of each row: how a release grows it, and how it is checked."""
