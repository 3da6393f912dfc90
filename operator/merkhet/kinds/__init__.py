"""One folder per kind: its schema, what should exist because of it, and what is said of it."""
