"""The emulator's server: sockets, HTTP and the process."""
