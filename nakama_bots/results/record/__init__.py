"""What a run measured: recorded exactly, merged exactly."""
