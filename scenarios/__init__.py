"""One scenario per file. Run one with ``locust -f scenarios/<name>.py``, or all with the locustfile."""
