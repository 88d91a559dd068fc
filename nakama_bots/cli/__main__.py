"""``python -m nakama_bots.cli``."""

from __future__ import annotations

import sys

from nakama_bots.cli.main import main

sys.exit(main())
