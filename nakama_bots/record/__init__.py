"""A recorder: a proxy between a game client and a server, whose traffic becomes a scenario."""
