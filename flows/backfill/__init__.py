"""Old submissions read again by another version of their contract or model, and what that changes."""
