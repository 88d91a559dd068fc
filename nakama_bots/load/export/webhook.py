"""Posts the verdict to a webhook. A failure is one line in the log."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from nakama_bots.errors import CallError, scrub
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.results.export.slack import job_url, message
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.settings.exports import Webhook
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.target import Timeouts

log = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
_TIMEOUTS: Final = Timeouts(connect=TIMEOUT, request=TIMEOUT)


def post_verdict(webhook: Webhook, network: Network, verdict: VerdictPart, folder: Path | None) -> None:
    """Post ``verdict`` with a link to the CI job, or else the path of the run's folder.

    ``network`` is that of the game server. The webhook is another server: only the proxy applies to it.
    """
    transport = GeventTransport(replace(network, tls=Tls()))
    try:
        body = orjson.dumps(message(verdict, job_url(os.environ) or str(folder or "")))
        answer = transport.send(
            webhook.target, "POST", webhook.path, {"Content-Type": "application/json"}, body, _TIMEOUTS
        )
        reason = "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except CallError as error:
        reason = scrub(str(error)) or type(error).__name__
    except Exception as error:  # noqa: BLE001 - whatever it is, the end of the run continues
        reason = type(error).__name__
    finally:
        transport.close()
    if reason:
        # Without the path: it is the secret.
        log.error("--nakama-webhook: %s did not accept the verdict (%s)", webhook.target.authority, reason)
