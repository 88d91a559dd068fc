from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nakama_bots.rest.transports.transport import TRANSPORTS, Transport

from .support import Make


@pytest.fixture(params=sorted(TRANSPORTS))
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Transport] = []

    def build(*args: Any, **options: Any) -> Transport:
        made.append(TRANSPORTS[request.param](*args, **options))
        return made[-1]

    yield build
    for transport in made:
        transport.close()
