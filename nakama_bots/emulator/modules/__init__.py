"""The modules that every emulator has; ``nakama_modules`` has the same in Lua, for a real server."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from nakama_bots.emulator.modules import (
    benchmark_match,
    blob,
    create_match,
    echo,
    notify_user,
    scenario_boards,
    tic_tac_toe,
)

BUNDLED: Final[tuple[ModuleType, ...]] = (
    echo, blob, create_match, benchmark_match, scenario_boards, notify_user, tic_tac_toe,
)  # fmt: skip
