"""Rules and the verdict."""
