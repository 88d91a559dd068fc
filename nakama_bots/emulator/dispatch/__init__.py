"""From a request or an envelope to its handler."""
