"""What the commands do: doctor, cleanup, capacity, paired runs, project files."""
