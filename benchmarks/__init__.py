"""What proves the performance claims; run one with ``python -m benchmarks.NAME``."""
