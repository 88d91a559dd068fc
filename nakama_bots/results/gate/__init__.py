"""Gate rules and the verdict of a run."""
