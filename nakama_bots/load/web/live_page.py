"""The Nakama tab of Locust's web UI: a page, its figures as JSON, and a link to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import orjson
from flask import Blueprint, Response, request
from locust.web import WebUI

from nakama_bots.results.show.live import LivePart

PATH: Final = "/nakama"
_INDEX: Final = "locust.index"
_FILES: Final = Path(__file__).parent / "page"


def add_live_page(web_ui: WebUI, part: Callable[[], LivePart]) -> None:
    """Serve the page at ``/nakama``, and add a tab for it to Locust's page."""
    app = web_ui.app
    assert app is not None
    # Beside Locust's pages, under the same base path.
    base = app.blueprints["locust"].url_prefix
    pages = Blueprint("nakama_bots", __name__, url_prefix=base)

    @pages.route(PATH)
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def page() -> Response:
        return Response(_file("live.html"), mimetype="text/html")

    @pages.route(f"{PATH}/data")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def data() -> Response:
        return Response(
            orjson.dumps(part()), mimetype="application/json", headers={"Cache-Control": "no-store"}
        )

    app.register_blueprint(pages)

    def keep_to_own_origin(response: Response) -> Response:
        if request.blueprint == pages.name:
            response.headers.pop("Access-Control-Allow-Origin", None)
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    # Flask calls the first of these last: after Locust's, which lets every origin read every answer.
    app.after_request_funcs.setdefault(None, []).insert(0, keep_to_own_origin)

    @app.after_request
    def add_tab(response: Response) -> Response:
        if request.endpoint == _INDEX and response.mimetype == "text/html":
            tab = _file("tab.html").replace("{{path}}", (base or "") + PATH)
            text = response.get_data(as_text=True)
            # The last match: Locust's script may contain the tag in a string.
            head, end, rest = text.rpartition("</body>")
            response.set_data(f"{head}{tab}{end}{rest}" if end else text)
        return response


@cache
def _file(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")
