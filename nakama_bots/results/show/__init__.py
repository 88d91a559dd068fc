"""Results as text, reports and files, for people and machines."""
