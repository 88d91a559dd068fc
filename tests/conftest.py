"""The common setup of all tests, the same on every machine."""

from __future__ import annotations

import hypothesis

# Hooks, found here by their names.
from contract.summary import (  # noqa: F401
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from stamping import stamps  # noqa: F401
from starting import (  # noqa: F401
    default_signals,
    keep_bytecode,
    no_authorities,
    pytest_collection_modifyitems,
    pytest_configure,
)

# A machine may be busy, and an example late by it: no test depends on how fast its examples are.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")
default_signals()
keep_bytecode()
no_authorities()
