"""Reports made comparable: cleaned texts, blocking keys, and the values that comparisons derive."""
