"""What is added to Locust's web UI: the emulator's banner on its pages, a check of the host that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, jsonify, request

from nakama_bots.config import Target
from nakama_bots.errors import ConfigError
from nakama_bots.load.banner import inject

_SWARM: Final = "locust.swarm"


def show_banner(app: Flask, is_emulator: Callable[[], bool]) -> None:
    """Put the banner on every page of Locust's web UI while ``is_emulator`` says so."""

    @app.after_request
    def add_banner(response: Response) -> Response:
        if response.mimetype == "text/html" and not response.direct_passthrough and is_emulator():
            response.set_data(inject(response.get_data(as_text=True)))
        return response


def check_host(app: Flask) -> None:
    """Refuse to start a test against a host that is none, in the form that Locust's page shows."""

    @app.before_request
    def refuse() -> Response | None:
        host = request.form.get("host") if request.endpoint == _SWARM else None
        if host is None:
            return None
        try:
            Target.parse(host, name="host")
        except ConfigError as error:
            return jsonify({"success": False, "message": str(error), "host": host})
        return None
