"""The REST operations, one file a family."""
