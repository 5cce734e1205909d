"""What happens to things: pure functions, frames in and frames out. No clock, environment, network or SQL."""
