"""The Kubernetes that the tests and the demo run on: `python3 -m tests.cluster.cluster up`."""
