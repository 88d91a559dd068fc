"""Limits for runs on a machine that may be busy: the generator is too slow there, which few tests are about."""

from __future__ import annotations

NO_LIMITS = "cpu=0,loop_busy=0,hub_lag=0,receive_wait=0,tick_lateness=0"
"""The value of ``--nakama-health-limits`` that turns every limit off."""
