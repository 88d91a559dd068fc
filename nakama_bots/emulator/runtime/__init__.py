"""The game's own server code."""
