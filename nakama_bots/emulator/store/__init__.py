"""Everything that the emulator knows."""
