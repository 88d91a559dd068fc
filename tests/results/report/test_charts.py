from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from nakama_bots.results.show.report.charts import Chart, ChartLine, X, draw

SVG = "{http://www.w3.org/2000/svg}"


def chart(values, **options):
    points = tuple((float(place), value) for place, value in enumerate(values))
    return Chart("Round trips", "ms", (ChartLine("p50", points),), seconds=float(len(values)), **options)


def paths(tree):
    return [path.get("d") for path in tree.iterfind(f".//{SVG}circle/../{SVG}path")]


def y_texts(tree):
    return [text.text for text in tree.iterfind(".//*[@class='axis y']//" + SVG + "text")]


def test_a_chart_is_an_image_with_a_label():
    (svg,) = draw([chart([1.0, 2.0, 4.0], log=True)], "a")
    tree = ET.fromstring(svg)
    assert tree.get("role") == "img"
    assert tree.get("aria-label") == "Round trips in ms: p50 from 1 to 4"
    tags = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert tags <= {"svg", "g", "rect", "path", "text", "circle"}
    assert len(paths(tree)) == 1
    assert len(list(tree.iter(SVG + "circle"))) == 3


def test_charts_side_by_side_share_their_axis():
    alone = [ET.fromstring(draw([chart(values)], "a")[0]) for values in ([1.0, 2.0], [1.0, 90.0])]
    assert y_texts(alone[0]) != y_texts(alone[1])
    both = [ET.fromstring(svg) for svg in draw([chart([1.0, 2.0]), chart([1.0, 90.0])], "a")]
    assert y_texts(both[0]) == y_texts(both[1]) == y_texts(alone[1])


def test_drawing_is_deterministic():
    assert draw([chart([1.0, 5.0])], "a") == draw([chart([1.0, 5.0])], "a")


def test_places_match_the_points_and_the_rows_of_the_table():
    drawn = chart([3.0, 1.0, 2.0])
    tree = ET.fromstring(draw([drawn], "a")[0])
    places = [float(place) for place in tree.get("data-places").split()]
    (path,) = paths(tree)
    numbers = [float(number) for number in path.replace("M", "").replace("L", " ").split()]
    assert places == pytest.approx(numbers[::2], abs=1)
    assert drawn.table() == [["0:00", "3"], ["0:01", "1"], ["0:02", "2"]]


def test_a_distribution_is_spaced_by_nines():
    line = ChartLine("ping", ((50.0, 2.0), (90.0, 4.0), (99.0, 8.0)))
    drawn = Chart("Distribution", "ms", (line,), x=X.PERCENTILE, log=True)
    places = ET.fromstring(draw([drawn], "a")[0]).get("data-places").split()
    # p50 to p90 is 0.7 nines, p90 to p99 is 1.
    assert (int(places[2]) - int(places[1])) / (int(places[1]) - int(places[0])) == pytest.approx(
        1.43, abs=0.02
    )
    assert [row[0] for row in drawn.table()] == ["p50", "p90", "p99"]


def test_zero_is_drawn_on_a_log_scale():
    tree = ET.fromstring(draw([chart([0.0, 5.0], log=True)], "a")[0])
    assert len(paths(tree)) == 1


def test_names_are_escaped():
    (svg,) = draw([Chart("<b>", "", (ChartLine("<script>", ((0.0, 1.0), (1.0, 2.0))),), seconds=2.0)], "a")
    assert "<script" not in svg
    assert "&lt;script&gt;" in ET.fromstring(svg).get("aria-label") or "<script>" in ET.fromstring(svg).get(
        "aria-label"
    )
