"""Master and workers of a run with several processes."""
