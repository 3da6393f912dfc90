"""kubectl merkhet: what a person does from a terminal."""
