"""The namespace's store: what is kept by content, what is claimed once, and where it stands."""
