"""How requests reach the server."""
