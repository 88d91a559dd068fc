"""Nakama over HTTP: the calls of its REST API, and what sends them."""
