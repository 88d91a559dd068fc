"""The Locust side: user classes, the bridge to request events, the run. Only this package imports Locust.

Importing it registers the ``--nakama-...`` arguments and the run's hooks with Locust.
"""

# Locust patches the standard library on import, so it must come before everything that uses sockets.
from locust import between, constant, constant_pacing, constant_throughput, tag, task

from nakama_bots.load.plugin import install
from nakama_bots.load.user import NakamaUser

__all__ = ["NakamaUser", "between", "constant", "constant_pacing", "constant_throughput", "tag", "task"]

install()
