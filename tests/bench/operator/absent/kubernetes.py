"""Stands before the client that the tests install: the operator's image has none, and Kopf loads one where it can."""

raise ImportError("the operator's image holds no kubernetes client")
