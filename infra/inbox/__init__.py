"""The inbox: one row for each delivered object, and the queue that announces them."""
