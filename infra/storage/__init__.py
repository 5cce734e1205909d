"""The landing zone and the arrivals: a folder or S3."""
