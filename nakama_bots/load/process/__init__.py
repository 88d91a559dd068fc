"""The process of a run: its signals, open files, logs, and users that do not stop."""
