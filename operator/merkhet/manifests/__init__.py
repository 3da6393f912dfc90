"""Pure builders of Kubernetes objects that kinds share."""
