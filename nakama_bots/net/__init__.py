"""Connections below REST and the realtime socket: dialing, proxies, TLS, and the failures of these."""
