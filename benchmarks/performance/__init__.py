"""The CPU and memory that the same work costs this project and others: ``python -m benchmarks``."""
