"""The settings of a run: target, credentials, the table of settings and the sources of their values."""
