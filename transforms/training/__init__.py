"""Training: a match model estimated from the reports themselves, by Splink, and whether the estimate is credible."""
