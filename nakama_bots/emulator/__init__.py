"""The emulator: a Nakama server in one process, for tests and first steps."""
