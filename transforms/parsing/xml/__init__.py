"""XML documents to the raw frame."""
