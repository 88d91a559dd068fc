"""Random sessions on the emulator get the recorded answers of a real server, or of the one at ``NAKAMA_URL``.

To record the real server again, with ``modules/`` loaded and tokens that outlive the session::

    NAKAMA_RECORD=1 NAKAMA_URL=http://127.0.0.1:7350 python -m pytest tests/contract/test_random.py

``NAKAMA_SEED`` selects another seed; ``python -m tests.contract.differential_random`` plays many.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .differential_random import PAUSE, play
from .transcript import Step, compare

HERE = Path(__file__).parent
STEPS = 150
SEEDS = [int(os.environ["NAKAMA_SEED"])] if os.environ.get("NAKAMA_SEED") else [1, 2, 3, 4]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    modules = (str(HERE / "modules" / f"{name}.lua") for name in ("boards", "greeter"))
    extra = (*(f"--module={module}" for module in modules), "--token-expiry", "7200")
    with EmulatorProcess.start(extra=extra) as process:
        yield process
        assert process.alive
    assert "Traceback" not in process.stderr


def reference(seed: int) -> list[Step]:
    """The transcript of a real server; recorded if ``NAKAMA_RECORD`` is set."""
    recorded = HERE / "data" / f"random-{seed}.json"
    if not os.environ.get("NAKAMA_URL"):
        if not recorded.exists():
            pytest.skip(f"nothing is recorded of seed {seed}: set NAKAMA_URL")
        steps: list[Step] = json.loads(recorded.read_text(encoding="utf-8"))
        return steps
    steps = play(os.environ["NAKAMA_URL"], seed, STEPS, pause=PAUSE)
    if os.environ.get("NAKAMA_RECORD"):
        # In ASCII, as answers may contain half of a surrogate pair.
        lines = ",\n".join(json.dumps(step, sort_keys=True) for step in steps)
        recorded.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return steps


@pytest.mark.parametrize("seed", SEEDS)
def test_random_session_gets_the_answers_of_a_real_server(emulator: EmulatorProcess, seed: int) -> None:
    expected = reference(seed)
    assert len(expected) > STEPS
    found = compare(expected, play(emulator.url, seed, STEPS))
    assert not found, "\n".join(map(str, found[:5]))


def test_same_seed_same_requests(emulator: EmulatorProcess) -> None:
    one, again, other = (play(emulator.url, seed, 30) for seed in (7, 7, 8))
    assert compare(one, again) == []
    assert [step["sent"] for step in one] != [step["sent"] for step in other]
