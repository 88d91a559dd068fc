"""The emulator's state."""
