"""What a run is told: target, credentials, the table of settings and where their values come from."""
