"""One scenario a file; run one with ``locust -f scenarios/<name>.py``, or all with the locustfile."""
