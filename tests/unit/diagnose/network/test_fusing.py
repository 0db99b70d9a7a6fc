"""Branches that were fused without one of them."""

from __future__ import annotations

import numpy as np
import pytest
from networks import BRANCHES, FUSED, Branched, fused

from pytest_ocrparity.diagnose.network.fusing import branch_left_out


@pytest.mark.parametrize(("share", "branch"), [(0.0, "other"), (0.2, None), (1.0, None)])
def test_the_branch_that_was_left_out_is_named(share: float, branch: str | None) -> None:
    own = {"stem.fused.weight": fused(share).weights[FUSED]}
    assert branch_left_out(Branched(BRANCHES, fused=fused()), own) == branch


def test_arrays_of_another_shape_were_not_fused_from_these_branches() -> None:
    own = {"stem.fused.weight": np.ones((2, 3, 1, 1), np.float32)}
    assert branch_left_out(Branched(BRANCHES, fused=fused()), own) is None
