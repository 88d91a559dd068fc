"""Keeps lobbies filled with scripted bots."""
