"""Web pages of what the store holds: pure functions from a message to one HTML file that needs nothing else."""
