from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nakama_bots.rest.transports.transport import TRANSPORTS, Transport

from .support import Make


@pytest.fixture(params=sorted(TRANSPORTS))
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    transports: list[Transport] = []

    def build(*args: Any, **options: Any) -> Transport:
        transports.append(TRANSPORTS[request.param](*args, **options))
        return transports[-1]

    yield build
    for transport in transports:
        transport.close()
