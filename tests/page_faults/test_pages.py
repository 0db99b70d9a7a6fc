"""Every fault of a page is caught at its model, stage and cause, nothing false is said, and right pages pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from real.features import needs_suffix

from page_faults.cases import CASES, SHORT, PageCase
from page_faults.deployment import OPTIONS, PageDeployment, judged, picture
from page_faults.drawn import IN_BATCHES, PAGES
from page_faults.rows import ALL, refused_row, row_of
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN
from pytest_ocrparity.errors import ModelError

RUN = [case for case in CASES if ALL or case.name in SHORT]
Record = Callable[[str, object], None]
CLEAN: dict[str, dict[str, Any]] = {
    "plain": {},
    "oneDNN": {"enable_mkldnn": True},
    "line by line": {"text_recognition_batch_size": 1},
    "large batches": {"text_recognition_batch_size": 16},
}
"""What right deployments may set otherwise."""


@pytest.mark.parametrize("case", RUN, ids=[case.name for case in RUN])
def test_a_fault_is_caught_and_named(case: PageCase, tmp_path: Path, record_property: Record) -> None:
    deployment = PageDeployment.copy(tmp_path)
    case.inject(deployment)
    try:
        error = judged(deployment.models(), picture(case.page))
    except ModelError as refusal:
        row = refused_row(case, str(refusal))
        record_property("pages.row", row)
        assert row["wrong"] == []
        return
    row = row_of(case, error)
    record_property("pages.row", row)
    print(error)
    assert error is not None, "the page passed"
    assert row["place_right"], f"{case.model}, {case.stage} is first, said: {row['model']}, {row['stage']}"
    assert row["wrong"] == []
    assert {*row["cause"]} <= CAUSES.keys()
    if row["cause_right"] and UNKNOWN not in row["cause"]:
        assert all(each.fix is not None and each.evidence for each in error.diagnoses)
        if can_be_followed(row["cause"]) and (ALL or case.name in SHORT[-2:]):
            deployment.follow(error.diagnoses)
            assert judged(deployment.models(), picture(case.page)) is None, "who follows the fixes still fails"


def can_be_followed(causes: list[str]) -> bool:
    """Tell whether the fixes are changes of settings and files: an export again of both models is another suite's."""
    of_files = ("postprocess.", "resize.", "pipeline.", "text.", "normalize.")
    return all(cause.startswith(of_files) and cause != "pipeline.doc_preprocessor" for cause in causes)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> PageDeployment:
    return PageDeployment.copy(tmp_path_factory.mktemp("right"))


@pytest.mark.parametrize("name", CLEAN if ALL else ["plain"])
def test_right_pages_pass(name: str, right: PageDeployment, record_property: Record) -> None:
    right.options = {**OPTIONS, **CLEAN[name]}
    sides = right.models()
    for page in PAGES if ALL else ("columns", "tilted"):
        record_property("pages.clean", page)
        assert judged(sides, picture(page)) is None, page
    texts = [each and each.text for each in sides[1].trace(picture("columns")).texts or ()]
    assert texts[:4] == ["APPLES", "3.20", "BREAD", "2.80"]


def test_a_file_of_several_pages_is_refused_and_of_one_is_read(right: PageDeployment, tmp_path: Path) -> None:
    needs_suffix("pages.tif")
    page = Image.fromarray(picture("columns")[..., ::-1])
    _, deployed = right.models()
    for count in (1, 2):
        page.save(tmp_path / "pages.tif", save_all=True, append_images=[page] * (count - 1))
        error = deployed.trace(tmp_path / "pages.tif").error
        assert (error is None) == (count == 1)
    assert error is not None and error.stage == "page"
    assert str(error).endswith("the file holds 2 pages: give each as an image by itself")


def test_an_evaluation_that_squeezes_lines_is_no_fault_of_a_page(tmp_path: Path) -> None:
    deployment = PageDeployment.copy(tmp_path)
    deployment.recogniser.operator("configs/tiny_rec.yml", "RecResizeImg", eval_mode=None)
    trained, deployed = deployment.models()
    assert trained.recogniser.parameters["resize"]["rule"] == "as wide as the line"
    assert judged((trained, deployed), picture("wide")) is None


def test_the_fixed_list_names_cases() -> None:
    assert {*SHORT} <= {case.name for case in CASES}
    assert len(CASES) >= 40
    assert np.all([case.page in {**PAGES, **IN_BATCHES} for case in CASES])
