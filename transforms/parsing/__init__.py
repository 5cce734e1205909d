"""From the bytes of a delivered file to a raw frame of text."""
