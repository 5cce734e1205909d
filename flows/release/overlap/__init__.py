"""The tables of overlap, burden and what is suspected, as a release counts and writes them."""
