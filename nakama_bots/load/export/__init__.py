"""Sends a run's figures to other tools during the run and at its end; a failure of that fails no run."""
