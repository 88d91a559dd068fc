"""The realtime websocket: frames and protocol without I/O, the connection in the gevent hub, the typed API."""
