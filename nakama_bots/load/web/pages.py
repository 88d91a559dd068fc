"""Additions to the pages of Locust's web UI: the emulator's banner, a check of the entered host."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, jsonify, request

from nakama_bots.errors import ConfigError
from nakama_bots.load.web.banner import inject
from nakama_bots.settings import guard
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

_SWARM: Final = "locust.swarm"


def show_banner(app: Flask, is_emulator: Callable[[], bool]) -> None:
    """Put the banner on every page of Locust's web UI while ``is_emulator`` returns True."""

    @app.after_request
    def add_banner(response: Response) -> Response:
        if response.mimetype == "text/html" and not response.direct_passthrough and is_emulator():
            response.set_data(inject(response.get_data(as_text=True)))
        return response


def check_form(app: Flask, settings: Settings, is_own: Callable[[Target], bool]) -> None:
    """Refuse to start a test that the settings do not allow, as an error in Locust's form.

    ``is_own`` returns True for the embedded emulator, which is always allowed.
    """

    @app.before_request
    def refuse() -> Response | None:
        if request.endpoint != _SWARM:
            return None
        host, users = request.form.get("host"), request.form.get("user_count", type=int)
        rate = request.form.get("spawn_rate", type=float)
        try:
            if host is not None:
                target = Target.parse(host, name="host")
                if not is_own(target):
                    guard.check_target(settings, target)
            guard.check_users(settings, users or 0)
            if rate is not None and not 0 < rate < math.inf:
                raise ConfigError("spawn_rate", rate, "a number above 0: users started a second")
        except ConfigError as error:
            return jsonify({"success": False, "message": str(error), "host": host})
        return None
