"""Merkhet runs the whole life of a machine-learning model from YAML."""

GROUP = "merkhet.dev"
VERSION = "v1alpha1"
