"""What a run left is unpacked a few times only, whatever it prints and writes: of a large one, that takes seconds."""

from __future__ import annotations

import pytest
from projects import NO_XDIST, wrong_export

from pytest_ocrparity.session.kept_records import PackedRecords


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The test and the place of each record that is unpacked."""
    found: list[tuple[int, int]] = []
    original = PackedRecords.__getitem__

    def counting(self: PackedRecords, place: int) -> object:
        if isinstance(place, int):
            found.append((id(self), place))
        return original(self, place)

    monkeypatch.setattr(PackedRecords, "__getitem__", counting)
    return found


@pytest.mark.parametrize(
    ("options", "passes"), [((), 1), (("--ocr-report=report", "--ocr-github=on", "-v"), 4)], ids=str
)
def test_a_failed_run_unpacks_its_records_that_often(
    project: pytest.Pytester, unpacked: list[tuple[int, int]], options: tuple[str, ...], passes: int
) -> None:
    wrong_export(project, mean=0.6)
    project.makepyfile(
        test_export="""
        import contextlib
        import pytest
        from pytest_ocrparity import *

        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
                with contextlib.suppress(DifferenceError):
                    compare(train, inference)
            assert_same_preprocessing(train, inference)
        """
    )
    result = project.runpytest(*NO_XDIST, *options)
    result.assert_outcomes(failed=2)
    records = len(set(unpacked))
    assert records >= 20
    assert records <= len(unpacked) <= passes * records
