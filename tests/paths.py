"""Where things of this repository lie."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
EXAMPLE = ROOT / "example_project"
BASELINES = TESTS / "baselines"
"""Baselines that older versions recorded."""
