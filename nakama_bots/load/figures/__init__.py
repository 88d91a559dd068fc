"""From finished calls to the figures of a run, beside Locust's own."""
