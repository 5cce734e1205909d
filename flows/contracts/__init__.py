"""Which contracts deliveries are read by: right ones, with a new version if changed, whose examples hold."""
