"""How many players a server holds: a search over loads, and the law that its throughput follows. Pure."""
