"""What each release did with each delivered row, and the tree of hashes that proves it."""
