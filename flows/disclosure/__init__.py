"""What leaves an installation: which values of a release nobody outside may see, and tables without them."""
