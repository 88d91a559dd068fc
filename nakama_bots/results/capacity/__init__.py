"""How many players a server can hold: a search over loads, and the scalability law it follows. Pure."""
