"""A run's figures in the forms that other tools take. Pure."""
