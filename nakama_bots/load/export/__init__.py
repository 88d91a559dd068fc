"""Sends a run's figures to other tools while it goes on and at its end; a failure of that fails no run."""
