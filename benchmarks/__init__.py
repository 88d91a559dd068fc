"""Benchmarks that verify the performance claims. Run one with ``python -m benchmarks.NAME``.

``python -m benchmarks`` compares the cost of a message, a connect and a start with that of other tools.
"""
