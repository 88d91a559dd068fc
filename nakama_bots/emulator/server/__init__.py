"""Sockets, HTTP and the process."""
