"""Prefilled drafts: what is known of a report, the draft that states it, and how good drafts would have been."""
