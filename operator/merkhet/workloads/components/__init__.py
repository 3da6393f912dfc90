"""Shared steps and graphs: tried by their examples, kept for ever, run over the rows of FeatureSets."""
