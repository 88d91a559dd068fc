"""Lobbies kept filled with scripted bots."""
