"""Looking after a server: doctor and cleanup."""
