"""Of a hand-written deployment with one thing wrong, nothing false is said, in whatever form it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faults.deployment import EXAMPLE, TRAIN_YML, Deployment
from faults.near_miss import failure
from faults.port_kinds import KINDS, NAMES, Kind, digest
from faults.port_rivals import rivals_of
from faults.port_rows import FORMS, first_shown, in_form, row_of
from faults.port_short_list import FAST, RUN
from faults.rows import ALL
from faults.server import Server
from pytest_ocrparity import Pipeline, Trace

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="hand-written servers run ONNX Runtime")

FROZEN = "05dae2b7f6d18a64345d795b42cc6c1f881d6937d692d020ca38f1c56f330cb0"
COUNT = 139
IMAGES = sorted(path.name for path in (EXAMPLE / "images").iterdir())
COMPLAINTS = (
    "PaddleOCR()'s 64/min and box_thresh 0.7",
    "slow scores and boxes below 24 px dropped",
    "RapidOCR's defaults",
    "(n / 32 - 1) * 32 of the demo for phones",
    "a buffer that grows",
    "batch padding to 1024x1312",
    "640x640",
    "grey in the server",
    "pages in tiles of 256 px",
    "pillow bilinear",
    "a wide page turned left",
)
"""What people have complained of in public."""
Train = Callable[[tuple[int, str] | None], Pipeline]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """The train side under the limits of a training yml, each loaded once."""

    @cache
    def loaded(limits: tuple[int, str] | None) -> Pipeline:
        deployment = Deployment.copy(tmp_path_factory.mktemp("train"))
        if limits is not None:
            side, rule = limits
            deployment.operator(TRAIN_YML, "DetResizeForTest", limit_side_len=side, limit_type=rule)
        return deployment.models()[0]

    return loaded


@lru_cache(maxsize=2)
def right_trace(page: str, limits: tuple[int, str] | None) -> Trace:
    return (Server() if limits is None else Server(limit=limits)).trace(EXAMPLE / "images" / page)


def polygons(trace: Trace) -> list[Any]:
    assert trace.detections is not None
    return [polygon.tolist() for polygon in trace.detections.polygons]


def wrong_trace(kind: Kind, page: str) -> Trace:
    """Return what a deployment makes of a page, after the pages that it saw before."""
    server = kind.server()
    for before in kind.before:
        server.trace(EXAMPLE / "images" / before)
    return server.trace(EXAMPLE / "images" / page)


USED = sorted({(page, kind.train) for kind, page in RUN}, key=str)
"""The pages, each with the limits of the training yml with which it is compared."""


@pytest.mark.parametrize(("page", "limits"), USED, ids=str)
def test_the_right_server_returns_the_boxes_of_train(train: Train, page: str, limits: tuple[int, str] | None) -> None:
    reference, right = train(limits).trace(EXAMPLE / "images" / page), right_trace(page, limits)
    boxes, expected = polygons(right), polygons(reference)
    if limits is None:
        assert boxes == expected != []
    assert len(boxes) == len(expected)
    for box, other in zip(boxes, expected, strict=True):  # two engines' maps, cut elsewhere: a pixel of rounding
        assert np.abs(np.subtract(box, other)).max() <= 1
    for form in FORMS:
        assert failure(reference, in_form(right, form)) is None, form


@pytest.mark.parametrize(
    "choices",
    [
        {"corners": "down"},
        {"corners": "one more"},
        {"corners": "to the last pixel"},
        {"corners": "another corner first"},
        {"fixed": (736, 992), "fit": "stretch"},
        {"memory": "buffer"},
        {"turn": 1},
        {"exif": False},
        {"alpha": "white"},
        {"rounding": "half up"},
    ],
    ids=str,
)
def test_what_makes_no_difference_passes(train: Train, choices: dict[str, Any]) -> None:
    """Rounding of a pixel is none; the rest is a choice that another page would show."""
    page = "curved.png" if "turn" in choices else "receipt.png"
    wrong, right = Server(**choices).trace(EXAMPLE / "images" / page), right_trace(page, None)
    reference = train(None).trace(EXAMPLE / "images" / page)
    for form in FORMS:
        assert first_shown(in_form(right, form), in_form(wrong, form)) is None
        assert failure(reference, in_form(wrong, form)) is None


SAME_IN_TRAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "thresh 0.2": ("PostProcess", {"thresh": 0.2}),
    "box_thresh 0.4": ("PostProcess", {"box_thresh": 0.4}),
    "unclip 2.0": ("PostProcess", {"unclip_ratio": 2.0}),
    "dilated by 2x2": ("PostProcess", {"use_dilation": True}),
    "slow scores": ("PostProcess", {"score_mode": "slow"}),
    "polygons": ("PostProcess", {"box_type": "poly"}),
    "first 4 outlines": ("PostProcess", {"max_candidates": 4}),
    "960/max": ("DetResizeForTest", {"limit_side_len": 960, "limit_type": "max"}),
    "64/min": ("DetResizeForTest", {"limit_side_len": 64, "limit_type": "min"}),
    "640x640": ("DetResizeForTest", {"image_shape": [640, 640]}),
    "mean and std of 0.5": ("NormalizeImage", {"mean": [0.5] * 3, "std": [0.5] * 3}),
    "statistics of RGB": ("NormalizeImage", {"mean": [0.406, 0.456, 0.485], "std": [0.225, 0.224, 0.229]}),
}
"""What of a training yml says the same as a kind does."""


@pytest.mark.parametrize("name", SAME_IN_TRAIN if ALL else [*SAME_IN_TRAIN][::3])
def test_a_kind_is_what_it_is_called(tmp_path: Path, name: str) -> None:
    """Where the training yml says the same, the deployment is right: nothing else of it is wrong."""
    kind, (operator, values) = next(kind for kind in KINDS if kind.name == name), SAME_IN_TRAIN[name]
    deployment = Deployment.copy(tmp_path)
    deployment.operator(TRAIN_YML, operator, **values)
    reference = deployment.models()[0]
    for page in kind.pages if ALL else kind.pages[:1]:
        path = EXAMPLE / "images" / page
        assert failure(reference.trace(path), kind.server().trace(path)) is None, page


@pytest.mark.parametrize(("kind", "page"), RUN, ids=[f"{kind.name}-{page}" for kind, page in RUN])
def test_nothing_false_is_said(
    train: Train, kind: Kind, page: str, record_property: Callable[[str, object], None]
) -> None:
    reference, right = train(kind.train).trace(EXAMPLE / "images" / page), right_trace(page, kind.train)
    wrong = wrong_trace(kind, page)
    rows: list[dict[str, Any]] = []
    record_property("faults.ports", rows)
    for form in FORMS:
        shown = first_shown(in_form(right, form), in_form(wrong, form)), first_shown(right, wrong)
        rows.append(row_of(kind, page, form, shown, None))  # a diagnosis that raises is not caught
        error = failure(reference, in_form(wrong, form))
        print(f"{form}:\n{error}\n")
        rows[-1].update(row_of(kind, page, form, shown, error))
        if form == "all arrays" and not rows[-1]["named"]:
            rows[-1].update(row_of(kind, page, form, shown, error, rivals_of(kind, wrong)))
    assert rows[0]["counted"], "the fault does not show on this page"
    assert [row["form"] for row in rows if row["counted"] and not row["caught"]] == []
    assert [(row["form"], row["wrong"]) for row in rows if row["wrong"]] == []
    assert [(row["form"], row["false_ruled_out"]) for row in rows if row["false_ruled_out"]] == []


@pytest.mark.parametrize(
    ("name", "page", "codes"),
    [
        ("640x640", "colours.png", {"one size": {"resize.image_shape"}}),
        ("960/max", "curved.png", {"limits": {"resize.limits", "resize.image_shape"}}),
        ("thresh 0.45", "curved.png", {"thresh": {"postprocess.thresh"}}),
        ("RGB fed", "rotated.jpg", {}),
    ],
)
def test_the_rivals_are_what_makes_the_same_arrays(name: str, page: str, codes: dict[str, set[str]]) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    assert rivals_of(kind, wrong_trace(kind, page)) == codes


def test_of_a_tensor_that_no_rule_of_sizes_makes_there_are_no_rivals() -> None:
    """One value is another one, as where something else is wrong besides: its size alone is no proof."""
    kind = next(kind for kind in KINDS if kind.name == "960/max")
    wrong = wrong_trace(kind, "curved.png")
    assert wrong.tensor is not None
    other = wrong.tensor.copy()
    other[0, 0, 0, 0] += 1
    assert rivals_of(kind, replace(wrong, tensor=other)) == {"limits": {"resize.limits"}}


def test_the_list_is_frozen() -> None:
    assert (len(KINDS), digest()) == (COUNT, FROZEN), "the list stands; only NAMES may get another code for a concept"


def test_the_list_is_sound() -> None:
    names = [kind.name for kind in KINDS]
    assert len({*names}) == len(names) >= 60
    assert {concept for kind in KINDS for concept in (*kind.names, *kind.also)} == NAMES.keys()
    for kind in KINDS:
        assert len({*kind.pages}) == len(kind.pages) > 0, kind.name
        assert {*kind.pages, *kind.before} <= {*IMAGES}, kind.name
        assert asdict(kind.server()) != asdict(kind.twin()), kind.name


def test_the_short_list_has_every_concept_and_complaint() -> None:
    fast = [kind for kind in KINDS if kind.name in FAST]
    assert len(fast) == len(FAST)
    assert sorted(kind.names[0] for kind in fast if len(kind.names) == 1) == sorted(NAMES)
    assert {kind.family for kind in fast} == {kind.family for kind in KINDS}
    assert {*COMPLAINTS} <= {*FAST}
