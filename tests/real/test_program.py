"""What an exported program says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.deployment import save
from paths import EXAMPLE

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.program import is_program_in_train_mode


@pytest.mark.parametrize("program", ["inference_rec/inference.json", "inference_pdmodel/inference.pdmodel"])
def test_a_program_that_was_written_in_evaluation_mode(program: str) -> None:
    assert is_program_in_train_mode(EXAMPLE / program) is False


@pytest.mark.parametrize(("has_batch_norm", "expected"), [(True, True), (False, None)])
def test_a_program_that_was_written_in_training_mode(
    tmp_path: Path, has_batch_norm: bool, expected: bool | None
) -> None:
    with isolated():
        from paddle import nn

        network = nn.Sequential(nn.Conv2D(3, 4, 3), *([nn.BatchNorm2D(4)] if has_batch_norm else []))
        network.train()
        save(network, tmp_path)
    assert is_program_in_train_mode(tmp_path / "inference.json") is expected
