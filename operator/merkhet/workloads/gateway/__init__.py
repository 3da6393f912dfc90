"""The pod that holds the namespace's store open, and the commands that people run in it."""
