"""Benchmarks that verify the performance claims. Run one with ``python -m benchmarks.NAME``."""
