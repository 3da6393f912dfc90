"""Pure numerics, each function with its source."""
