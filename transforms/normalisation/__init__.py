"""From raw frames to claims, records and rejects."""
