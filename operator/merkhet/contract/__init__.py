"""What operator and pods say to each other: JSON with a version, read by both sides with the same classes."""
