"""Additions to the pages of Locust's web UI: the emulator's banner, our fields of the form and their check."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, jsonify, request
from locust.web import WebUI

from nakama_bots.errors import ConfigError
from nakama_bots.load.web.form import Choice, StartForm

_SWARM: Final = "locust.swarm"

EMULATOR_BANNER: Final = "The target is an EMULATOR, not a real Nakama server."

_BANNER: Final = (
    '<div role="status" style="padding:.6em 1em;background:#b3261e;color:#fff;font:600 1rem sans-serif">'
    f"{EMULATOR_BANNER} Its timings say nothing about a real server.</div>"
)


def check_port(web_ui: WebUI) -> None:
    """``ConfigError`` if the web UI cannot listen; Locust would end with a traceback."""
    family = socket.AF_INET6 if ":" in web_ui.host else socket.AF_INET
    try:
        # Bound, but not listening: a browser that tries already must not connect to what is closed at once.
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((web_ui.host, web_ui.port))
    except OSError as error:
        name = f"{web_ui.host}:{web_ui.port}"
        accepted = f"an address of this machine and a free port ({error.strerror})"
        raise ConfigError("--web-host/--web-port", name, accepted) from None


def with_banner(page: str) -> str:
    """Return ``page`` with the banner at the top of its body."""
    # The last match: Locust's report has its script in the head, with "<body" in one of its strings.
    start = page.rfind("<body")
    end = page.find(">", start) + 1
    return page[:end] + _BANNER + page[end:] if start >= 0 else page


def show_banner(app: Flask, is_emulator: Callable[[], bool]) -> None:
    """Put the banner on every page of Locust's web UI while ``is_emulator`` returns True."""

    @app.after_request
    def add_banner(response: Response) -> Response:
        if response.mimetype == "text/html" and not response.direct_passthrough and is_emulator():
            response.set_data(with_banner(response.get_data(as_text=True)))
        return response


def check_form(app: Flask, form: StartForm, apply: Callable[[Choice], None]) -> None:
    """Refuse to start a test that the settings do not allow, as an error in Locust's form.

    ``apply`` is called with what a valid form asks for, before the run starts; it may raise ``ConfigError``.
    """

    @app.before_request
    def refuse() -> Response | None:
        if request.endpoint != _SWARM:
            return None
        fields = request.form.to_dict()
        try:
            choice = form.read(fields)
            if form.changeable:
                apply(choice)
                form.keep(choice)
        except ConfigError as error:
            return jsonify({"success": False, "message": str(error), "host": fields.get("host")})
        return None
