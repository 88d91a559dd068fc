"""A run's figures in the forms that other tools accept. Pure."""
