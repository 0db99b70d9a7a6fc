"""A candidate with a part put right is run on the next image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import SPREAD, Varied, seen
from toy import PAGE, Toy

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnosis import Alternative, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image


class TestAnotherFile:
    """What is read in the place of the image's file is there while it is read, and no longer."""

    @pytest.mark.parametrize("has_pixels", [False, True])
    def test_is_read_where_no_pixels_are_given(self, tmp_path: Path, has_pixels: bool) -> None:
        other = tmp_path / "other.npy"

        @contextmanager
        def file(image: Image) -> Iterator[Image]:
            np.save(other, SPREAD)
            yield str(other)
            other.unlink()

        patched = PatchedCandidate(Toy(), file=file, pixels=(lambda *_: PAGE) if has_pixels else None)
        trace = patched.preprocess("page.npy", Toy().trace(PAGE))
        assert trace.decode is not None and np.array_equal(
            np.asarray(trace.decode.pixels), PAGE if has_pixels else SPREAD
        )
        assert not other.exists()


class TestPatchedCandidate:
    class Damps(Toy):
        def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return np.asarray(super().infer(tensor) * 0.9, np.float32)

        def other_engines(self) -> Iterator[Alternative]:
            yield Alternative("engine.onednn", "oneDNN off", super().infer)

    @pytest.mark.parametrize(
        ("wrong", "cause"),
        [(Damps(name="port"), "engine.onednn"), (Varied(name="port", mean=0.4), "normalize.mean_std")],
        ids=["network", "tensor"],
    )
    def test_a_patched_candidate_is_run_on_the_next_image(self, wrong: Toy, cause: str) -> None:
        cache, right = DiagnosisCache(60), Toy()
        found: list[Diagnosis] = []
        for image in (PAGE, SPREAD):
            traces = seen(right, image), replace(seen(wrong, image), image=f"{image.shape[1]} px wide")
            found += cache.diagnose(Comparisons(*traces, BUILT_IN))
        assert [each.cause for each in found] == [cause, cause]
        (told,) = found[1].evidence
        assert told.startswith("found on 96 px wide; here as well the stage differs unless it is put right")
