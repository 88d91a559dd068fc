"""Recordings: through the proxy, or from an HAR file."""
