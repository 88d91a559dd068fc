"""The open model: arrivals by a plan, independent of the server."""
