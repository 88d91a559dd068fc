"""Dispatches requests and envelopes to their handlers."""
