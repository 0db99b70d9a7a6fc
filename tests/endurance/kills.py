"""kill -9 at any moment of recording: the old baseline or the new one is whole. `make endurance` runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from endurance.killing import kill_recordings
from pytest_ocrparity.archive import remove_leftovers

KILLS = 1_000
BUILD = Path(__file__).parents[2] / "build"


@pytest.mark.parametrize("seed", [1])
def test_no_kill_damages_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    result = kill_recordings(tmp_path, kills=KILLS, seed=seed)
    left = len(list(tmp_path.glob(".ocrparity-*.tmp")))
    remove_leftovers(tmp_path)
    found = {**result.as_json(), "left_behind": left, "left_after_cleaning": len(list(tmp_path.iterdir())) - 1}
    with capsys.disabled():
        print()
        for name, value in found.items():
            print(f"{name.replace('_', ' '):<24}{value:10.4g}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "kills.json").write_text(json.dumps(found, indent=1))
    assert result.damaged == 0
    assert result.left_old + result.left_new == result.kills == KILLS
    assert min(result.left_old, result.left_new) > KILLS / 10
    assert result.in_the_write > KILLS / 25, "too few kills hit an open file to show anything"
    assert found["left_after_cleaning"] == 0
