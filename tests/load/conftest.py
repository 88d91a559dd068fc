"""Locust patches the standard library when it is imported: not in the process that runs all tests."""

import os

_NAME = "LOCUST_SKIP_MONKEY_PATCH"
_before = os.environ.get(_NAME)
os.environ[_NAME] = "1"
import locust  # noqa: E402, F401

if _before is None:
    del os.environ[_NAME]
