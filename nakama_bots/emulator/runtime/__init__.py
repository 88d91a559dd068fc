"""Runs the game's server code: modules, hooks, matches."""
