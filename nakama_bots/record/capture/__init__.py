"""What is recorded: through the proxy, or from an HAR file."""
