"""Branches that were fused without one of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from diagnosing import Array
from networks import BRANCHES, FUSED, Branched, fused

from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.network.fusing import MOST, branch_left_out


@pytest.mark.parametrize(("share", "branch"), [(0.0, "other"), (0.2, None), (1.0, None)])
def test_the_branch_that_was_left_out_is_named(share: float, branch: str | None) -> None:
    own = {"stem.fused.weight": fused(share).weights[FUSED]}
    assert branch_left_out(Branched(BRANCHES, fused=fused()), own, lambda: None) == branch


def test_arrays_of_another_shape_were_not_fused_from_these_branches() -> None:
    own = {"stem.fused.weight": np.ones((2, 3, 1, 1), np.float32)}
    assert branch_left_out(Branched(BRANCHES, fused=fused()), own, lambda: None) is None


class Nested(Branched):
    """Its first branch has so many parts that the second stands behind the most that are tried."""

    def keys(self) -> Mapping[str, str]:
        parts = {f"part_{number}": f"stem.kernels.{number}.conv.weight" for number in range(MOST)}
        return {"conv2d_0.w_0": "stem.first.weight", **parts, "conv2d_2.w_0": "stem.other.weight"}

    def arrays(self) -> Mapping[str, Array]:
        known = {**self.weights, **{f"part_{number}": np.ones((1, 1), np.float32) for number in range(MOST)}}
        return {name: known[name] for name in self.keys()}


def test_whole_branches_are_left_out_before_their_parts_as_long_as_there_is_time() -> None:
    own = {"stem.fused.weight": fused(0.0).weights[FUSED]}
    network = Nested(BRANCHES, fused=fused())
    assert branch_left_out(network, own, lambda: None) == "other"

    def spent() -> None:
        raise BudgetSpentError

    with pytest.raises(BudgetSpentError):
        branch_left_out(network, own, spent)
