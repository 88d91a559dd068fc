"""Arrivals on a plan, whatever the server does."""
