"""Records of one item: persistent ids, published fields and content hashes."""
