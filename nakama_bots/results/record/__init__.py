"""Records the measurements of a run and merges them exactly over processes."""
