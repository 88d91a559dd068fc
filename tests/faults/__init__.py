"""The fault matrix: what a run does when something breaks. ``python -m tests.faults`` runs all of it."""

import sys
from pathlib import Path

# The suite's packages are found as pytest finds them, also when this one is run by itself.
_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)

OWN = "the scenario's own fault"
"""In the text of what a scenario raises on purpose; locustfile.py has it too, being loaded by itself."""
