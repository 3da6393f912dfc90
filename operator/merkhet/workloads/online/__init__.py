"""Look-ups of the latest row of an entity."""
