"""Training: from a version of a FeatureSet to an ONNX model that is known to agree with scikit-learn."""
