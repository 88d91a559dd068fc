from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ConfigError
from nakama_bots.settings.load_profile import MODELS, Curve, LoadProfile, Stage

WHOLE = {
    "stages:50/30s,50/2m,0/30s": [(0, 0), (15, 25), (30, 50), (149, 50), (165, 25), (180, 0), (999, 0)],
    "steps:from=10,to=45,by=20,each=1m": [(0, 10), (59.9, 10), (60, 30), (120, 45), (179.9, 45), (180, 0)],
    "steps:from=45,to=10,by=20,each=60": [(0, 45), (60, 25), (120, 10), (180, 0)],
    "spike:base=20,peak=200,before=1m,rise=10s,hold=30s,fall=10s,after=1m": [
        (0, 20), (60, 20), (65, 110), (70, 200), (99, 200), (105, 110), (110, 20), (169, 20), (170, 0)],
    "spike:base=1,peak=9,hold=3s": [(0, 9), (2.9, 9), (3, 0)],
    "soak:users=100,ramp=2m,for=1h30m": [(0, 0), (60, 50), (120, 100), (5519, 100), (5520, 0)],
}  # fmt: skip


@pytest.mark.parametrize("text", WHOLE)
def test_users_over_time(text: str) -> None:
    profile = LoadProfile.parse(text)
    assert [(at, round(profile.curve.ahead(at, 0.0))) for at, _ in WHOLE[text]] == WHOLE[text]
    assert profile.open is None
    assert list(profile.arrival_times(1)) == []


@pytest.mark.parametrize(
    "text", [*WHOLE, "open:rate=0.5,for=1h", "open:20/250ms,20/3s,max-in-flight=7,arrivals=constant"]
)
def test_a_profile_parses_its_own_text(text: str) -> None:
    profile = LoadProfile.parse(text)
    again = LoadProfile.parse(profile.text)
    assert again.text == profile.text
    assert (again.curve.seconds, again.curve.area, again.open) == (
        profile.curve.seconds, profile.curve.area, profile.open)  # fmt: skip


STAGES = st.lists(st.builds(Stage, st.integers(0, 500), st.floats(0, 60)), min_size=1, max_size=6)


@given(STAGES, st.floats(0, 400))
def test_a_curve_is_bounded_and_continuous_between_its_edges(stages: list[Stage], at: float) -> None:
    curve = Curve(tuple(stages))
    assert 0 <= curve.ahead(at, 0.0) <= curve.peak <= max(stage.target for stage in stages)
    edge = curve.next_edge(at)
    ahead = curve.ahead(at, 1.0)
    if at < curve.seconds and at + 1.0 < edge:
        assert ahead == pytest.approx(curve.ahead(at + 1.0, 0.0), abs=1e-6)


@given(STAGES, st.integers(0, 2**32 - 1))
def test_arrivals_ascend_and_match_the_area(stages: list[Stage], seed: int) -> None:
    curve = Curve(tuple(stages))
    areas = [float(number) for number in range(2000)]
    times = list(curve.times(iter(areas)))
    assert len(times) == sum(area < curve.area for area in areas)
    assert times == sorted(times)
    assert all(0 <= time <= curve.seconds for time in times)


def test_constant_arrivals_are_evenly_spaced() -> None:
    profile = LoadProfile.parse("open:rate=200,for=30s,arrivals=constant")
    times = list(profile.arrival_times(1))
    assert len(times) == 6000
    assert times == pytest.approx([number / 200 for number in range(6000)])


def test_arrivals_follow_a_ramp_and_a_pause() -> None:
    profile = LoadProfile.parse("open:200/10s,200/10s,0/0s,0/5s,100/0s,100/1s,arrivals=constant")
    times = list(profile.arrival_times(1))
    counts = [
        sum(start <= time < end for time in times) for start, end in itertools.pairwise((0, 5, 10, 20, 25, 26))
    ]
    assert counts == [250, 750, 2000, 0, 100]


def test_poisson_arrivals_follow_seed_rate_and_spread() -> None:
    profile = LoadProfile.parse("open:rate=200,for=300s")
    times = list(profile.arrival_times(7))
    assert times == list(profile.arrival_times(7)) != list(profile.arrival_times(8))
    assert len(times) == pytest.approx(60_000, rel=0.02)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation == pytest.approx(mean, rel=0.05)  # equal for exponential gaps


BAD = {
    "": "one of stages, steps, spike, soak, open",
    "foo:1/2s": "'foo'|stages, steps, spike, soak, open",
    "stages": "'stages'|50/30s",
    "stages:x/3s": "'x'|stages[1].users: a whole number",
    "stages:5/1s,5/3q": "'3q'|stages[2].over: a duration",
    "stages:0/5s": "some users",
    "stages:5/3s,a": "'a'|TARGET/DURATION or name=value",
    "stages:5/3s,users=4": "'users'|for stages: stages",
    "soak:users=1.5,for=3s": "'1.5'|users: a whole number",
    "soak:users=3": "'soak:users=3'|for: a duration such as|above 0|needs it",
    "soak:users=3,users=4,for=1s": "'users=4'|each name once",
    "soak:users=nan,for=3s": "'nan'|whole number",
    "open:rate=inf,for=3s": "'inf'|rate: a number of arrivals a second above 0",
    "open:rate=3,for=3s,arrivals=often": "'often'|poisson or constant",
    "open:rate=3,for=3s,5/3s": "'rate'|max_in_flight",
    "open:rate=3,for=3s,max_in_flight=0": "'0'|max_in_flight: a whole number from 1",
    "spike:base=0,peak=5,hold=5s,foo=3": "'foo'|for spike: base, peak",
    "steps:from=1,to=1000000,by=1,each=1s": "'1'|no more than 10000 steps",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_profiles(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LoadProfile.parse(text)
    for part in BAD[text].split("|"):
        assert part in str(caught.value)


@given(
    st.one_of(
        st.text(),
        st.sampled_from(list(MODELS)).flatmap(lambda name: st.text().map(lambda rest: f"{name}:{rest}")),
    )
)
def test_any_text_is_a_profile_or_a_config_error(text: str) -> None:
    try:
        profile = LoadProfile.parse(text)
    except ConfigError:
        return
    assert profile.curve.seconds > 0


TOML = {
    'model = "stages"\nstages = [{users = 50, over = "30s"}, {users = 0, over = 30}]': "stages:50/30s,0/30s",
    'model = "stages"\n[[load.stages]]\nusers = 5\nover = 4': "stages:5/4s",
    'model = "soak"\nusers = 5\nfor = "1h"': "soak:users=5,ramp=0s,for=3600s",
    'model = "open"\nrate = 2.5\nfor = "1m"\narrivals = "constant"\nmax_in_flight = 9': (
        "open:rate=2.5,ramp=0s,for=60s,arrivals=constant,max_in_flight=9,max_start_delay=0.25s,drain=10s"
    ),
}


@pytest.mark.parametrize("table", TOML)
def test_a_file_is_the_same_profile(table: str, tmp_path: Path) -> None:
    path = tmp_path / "load.toml"
    path.write_text(f'[nakama]\nseed = 3\n[load]\n{table}\n[other]\nrate = "x"\n')
    assert LoadProfile.read(path).text == TOML[table]


BAD_TOML = {
    'model = "open"\nrate = 5\nfor = "3x"': "load.toml line 5: for: '3x'|a duration such as",
    'model = "stages"\nstages = [{users = 5, over = "3s"}, {users = true, over = 3}]': (
        "line 4: stages[2].users: True|whole"
    ),
    'model = "stages"\n[[load.stages]]\nuser = 5\nover = 4': "line 4: stages[1]: {'user': 5|users = 50",
    'model = "soak"\nusers = 5': "load.toml line 2: for: 'nothing'|soak needs it",
    'model = "soak"\nusers = 5\nfor = 3\npeak = 1': "line 6: peak: 'peak'|users, ramp, for",
    "model = 3": "line 3: model: 3|stages, steps",
    "model = ": "a TOML file (Invalid value|line 3",
}


@pytest.mark.parametrize("table", BAD_TOML)
def test_bad_profile_tables(table: str, tmp_path: Path) -> None:
    path = tmp_path / "load.toml"
    path.write_text(f'users = "elsewhere"\n[load]\n{table}\n')
    with pytest.raises(ConfigError) as caught:
        LoadProfile.read(path)
    for part in BAD_TOML[table].split("|"):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff", b"[nakama]\n", b"load = 3\n"])
def test_files_without_a_profile(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "load.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"--nakama-profile: .*load\.toml.* TOML file"):
        LoadProfile.read(path)
