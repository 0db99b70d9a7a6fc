"""The long fuzz: `make endurance`, which is no part of `make test`. Prints a table and writes build/fuzz.json."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hostile.readers import MEMORY, READERS, Reader, warm_up
from hypothesis import HealthCheck, Phase, given, seed, settings

SHARES = {
    "baseline": 24_000,
    "baseline's name": 30_000,
    "settings": 50_000,
    "yml": 24_000,
    "checkpoint": 50_000,
    "results.json": 4_000,
    "fix": 2_000,
    "static findings": 4_000,
    "a trace's JSON": 20_000,
    "results of others": 16_000,
    "labels": 16_000,
    "history": 16_000,
    "dictionary": 16_000,
    "pipeline": 6_000,
    "ONNX graph": 10_000,
    "ONNX weights": 10_000,
    "deploy": 2_000,
}
"""Inputs per reader: many where an input takes little time."""
SEED = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(10**9)))
ROUND = 2_000
"""Inputs after which Hypothesis starts anew: it remembers all of a round, to repeat none."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Any:
    """Collect what each reader took, and tell it at the end."""
    rows: dict[str, dict[str, Any]] = {}
    yield rows
    inputs = sum(row["inputs"] for row in rows.values())
    result = {"seed": SEED, "inputs": inputs, "memory_bytes": MEMORY, "readers": rows}
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "fuzz.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [f"{'reader':<18}{'inputs':>9}{'accepted':>10}{'refused':>9}{'seconds':>9}"]
    lines += [
        f"{name:<18}{row['inputs']:>9,}{row['accepted']:>10,}{row['refused']:>9,}{row['seconds']:>9.1f}"
        for name, row in rows.items()
    ]
    lines.append(f"{'all':<18}{inputs:>9,}   seed {SEED}")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines, sep="\n")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_only_documented_errors_come_out(reader: Reader, table: dict[str, Any], tmp_path: Path) -> None:
    warm_up(tmp_path)
    row = table[reader.name] = {"inputs": 0, "accepted": 0, "refused": 0, "seconds": 0.0}
    start, number = time.monotonic(), 0
    while row["inputs"] < SHARES[reader.name]:

        @seed(SEED + number)
        @settings(
            max_examples=ROUND,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(reader.inputs)
        def check(value: Any) -> None:
            row["accepted" if reader.check(tmp_path, value) else "refused"] += 1
            row["inputs"] += 1

        check()
        number += 1
    row["seconds"] = time.monotonic() - start
    assert row["accepted"]
    assert row["refused"] or reader.error is None
