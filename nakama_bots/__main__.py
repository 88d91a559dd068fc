"""``python -m nakama_bots`` is ``nakama-bots``."""

import sys

from nakama_bots.cli.main import main

sys.exit(main())
