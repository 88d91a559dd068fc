"""The Nakama tab of Locust's web UI: a page, its figures as JSON, the files of the runs, and a link to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import orjson
from flask import Blueprint, Response, abort, render_template_string, request, send_from_directory
from locust.web import WebUI

from nakama_bots.results.show.ended import EndedRuns
from nakama_bots.results.show.live import LivePart

PATH: Final = "/nakama"
_INDEX: Final = "locust.index"
_FILES: Final = Path(__file__).parent / "page"

FormCheck = Callable[[Mapping[str, str]], dict[str, dict[str, str]]]
"""Returns what is wrong (``errors``) and what is remarkable (``notes``) in a start form, by field."""


def add_live_page(web_ui: WebUI, part: Callable[[], LivePart], runs: EndedRuns, check: FormCheck) -> None:
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

    @pages.route(f"{PATH}/<any('live.css', 'live.js'):name>")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def asset(name: str) -> Response:
        return send_from_directory(_FILES, name)

    @pages.route(f"{PATH}/data")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def data() -> Response:
        return _json(part())

    @pages.route(f"{PATH}/check", methods=["POST"])
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def check_form() -> Response:
        return _json(check(request.form.to_dict()))

    @pages.route(f"{PATH}/runs/<name>/")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def run(name: str) -> str:
        found = next((one for one in runs.parts if one["name"] == name), None)
        if found is None:
            abort(404)
        return render_template_string(_file("run.html"), run=found)

    @pages.route(f"{PATH}/runs/<name>/<file>")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def run_file(name: str, file: str) -> Response:
        folder = runs.folder(name)
        if folder is None:
            abort(404)
        return send_from_directory(folder.absolute(), file)

    app.register_blueprint(pages)
    _keep_to_own_origin(web_ui, pages.name)
    _add_tab(web_ui, (base or "") + PATH)


def _keep_to_own_origin(web_ui: WebUI, name: str) -> None:
    def keep(response: Response) -> Response:
        if request.blueprint == name:
            response.headers.pop("Access-Control-Allow-Origin", None)
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    assert web_ui.app is not None
    # Flask calls the first of these last: after Locust's, which lets every origin read every answer.
    web_ui.app.after_request_funcs.setdefault(None, []).insert(0, keep)


def _add_tab(web_ui: WebUI, path: str) -> None:
    assert web_ui.app is not None

    @web_ui.app.after_request
    def add(response: Response) -> Response:
        if request.endpoint == _INDEX and response.mimetype == "text/html":
            tab = _file("tab.html").replace("{{path}}", path)
            text = response.get_data(as_text=True)
            # The last match: Locust's script may contain the tag in a string.
            head, end, rest = text.rpartition("</body>")
            response.set_data(f"{head}{tab}{end}{rest}" if end else text)
        return response


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), mimetype="application/json", headers={"Cache-Control": "no-store"})


@cache
def _file(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")
