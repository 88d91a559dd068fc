"""The page in a real Chromium: light, dark, on paper, narrow, and with scripts off."""

from __future__ import annotations

import base64

import pytest
from browser import chromium, needs_chromium

from nakama_bots.results.show.report.page import render

pytestmark = needs_chromium

# The lightness of a CSS colour, 0 to 255.
LIGHTNESS = """
const found = getComputedStyle(document.querySelector(arguments[0]))[arguments[1]].match(/[\\d.]+/g)
  .map(Number);
return (found[0] + found[1] + found[2]) / 3;
"""
# Chart lines that are visible: inside their plot, in another colour than the panel.
LINES = """
return [...document.querySelectorAll("figure.chart")].map((figure) => {
  const panel = getComputedStyle(figure).backgroundColor;
  const lines = [...figure.querySelectorAll(".series .line")].filter((line) => {
    const box = line.getBoundingClientRect(), frame = figure.getBoundingClientRect();
    const inside = box.left >= frame.left && box.right <= frame.right && box.top >= frame.top;
    const style = getComputedStyle(line);
    return inside && style.stroke !== "none" && style.stroke !== panel && style.fill === "none";
  });
  return [figure.querySelector("figcaption").textContent, lines.length];
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def url(view, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render([view]), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_is_visible_in_each_mode(browser, url, dark, scripts):
    browser.loaded()
    browser.open(url, dark=dark, scripts=scripts)
    assert browser.loaded() == [url]
    assert browser.complaints() == []
    back, ink = (browser.ask(LIGHTNESS, "body", style) for style in ("backgroundColor", "color"))
    assert (back < 60 and ink > 180) if dark else (back > 240 and ink < 80)
    charts = browser.ask(LINES)
    assert len(charts) > 12
    assert [caption for caption, lines in charts if not lines] == []
    assert bool(browser.ask("return document.querySelectorAll('.tip').length")) is scripts


def test_the_page_fits_a_narrow_screen(browser, url):
    for width in (1360, 500):
        browser.open(url, width=width)
        page, window = browser.ask("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert page <= window


def test_the_table_behind_a_chart_opens_without_scripts(browser, url):
    browser.open(url, scripts=False)
    details = browser.driver.find_element("css selector", "figure details")
    rows = details.find_elements("css selector", "tbody tr")
    assert len(rows) == 30
    assert not rows[0].is_displayed()
    browser.ask("arguments[0].scrollIntoView({ block: 'center' })", details)
    details.find_element("css selector", "summary").click()
    assert rows[0].is_displayed()


def test_the_mouse_shows_a_row_of_the_table(browser, url):
    browser.open(url)
    svg = browser.driver.find_element("css selector", "#load figure svg")
    event = """
    const box = arguments[0].querySelector(".plot .background").getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + 5];
    arguments[0].dispatchEvent(new MouseEvent("mousemove", { clientX: x, clientY: y, bubbles: true }));
    return arguments[0].closest("figure").querySelector(".tip").textContent;
    """
    assert browser.ask(event, svg) in {"0:14\nsockets  18\nusers  20", "0:15\nusers  20\nsockets  18",
                                       "0:14\nusers  20\nsockets  18"}  # fmt: skip


def test_the_page_prints_on_white(browser, url):
    browser.open(url, dark=True)
    pdf = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(pdf["data"]).startswith(b"%PDF-")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.ask(LIGHTNESS, "body", "backgroundColor") == 255
    assert browser.ask("return getComputedStyle(document.querySelector('nav')).display") == "none"
