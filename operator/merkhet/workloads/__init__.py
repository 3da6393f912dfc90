"""What runs inside our pods."""
