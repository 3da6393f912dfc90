"""The Job that makes one immutable version of a FeatureSet."""
