"""The simulated screens."""
