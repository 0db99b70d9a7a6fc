"""A trace as a JSON file with its arrays beside it: it comes back as it was, or one sentence says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import PAGE, Toy
from toy_reader import LINE, Reader

from pytest_ocrparity import ResultError
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.trace import Detections, Recognition, Trace

QUAD = np.array([[0.0, 0], [9, 0], [9, 5.25], [0, 5]])
WHOLE = Toy().trace(PAGE)
TRACES = {
    "whole": WHOLE,
    "boxes alone": Trace(pipeline="port", image="a.png", detections=Detections((QUAD,))),
    "no box": Trace(pipeline="port", image="a.png", detections=Detections((), np.zeros(0))),
    "no box, no scores": Trace(pipeline="port", image="a.png", detections=Detections(())),
    "nothing": Trace(pipeline="port", image="a.png"),
    "scores that are no numbers": Trace(
        pipeline="port", image="a.png", detections=Detections((QUAD, QUAD, QUAD), np.array([np.nan, np.inf, 0.1 + 0.2]))
    ),
    "unicode": Trace(pipeline="größe", image="данные/图像 \udcff.png", detections=Detections((QUAD,))),
    "a baseline's": replace(
        WHOLE,
        decode=WHOLE.decode and WHOLE.decode.without_pixels(),
        map_error=7e-6,
        map_sensitivity=1e-4,
        fused_map=WHOLE.probability_map,
        image_sha256="ab" * 32,
    ),
    "a recogniser's": Reader().trace(LINE),
    "a text alone": Trace(pipeline="port", image="a.png", recognition=Recognition(" \u2028 \udcff\u0645\u0631 ")),
    "no text": Trace(pipeline="port", image="a.png", recognition=Recognition("", 0.0)),
    "a score that is no number": Trace(pipeline="port", image="a.png", recognition=Recognition("a", float("nan"))),
    "odd arrays": replace(
        WHOLE,
        tensor=np.full((1, 3, 2, 2), np.nan, np.float16),
        probability_map=np.zeros((0, 4), np.float32),
    ),
}


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    TRACES[name].to_json(tmp_path / "页 1.json")
    found = Trace.from_json(tmp_path / "页 1.json")
    assert found == TRACES[name]
    assert found.source is None
    for stage in ("resize", "tensor", "probability_map"):
        if (array := getattr(found, stage)) is not None:
            assert array.dtype == getattr(TRACES[name], stage).dtype


def test_another_trace_is_not_equal(tmp_path: Path) -> None:
    """The twin: equality after the way through a file sees the last bit of a score."""
    TRACES["whole"].to_json(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    document["dt_scores"][0] = float(np.nextafter(document["dt_scores"][0], 0))
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert Trace.from_json(tmp_path / "a.json") != TRACES["whole"]


def test_a_detectors_file_is_one_that_earlier_versions_read(tmp_path: Path) -> None:
    TRACES["whole"].to_json(tmp_path / "a.json")
    TRACES["a recogniser's"].to_json(tmp_path / "b.json")
    keys = [
        {key for key in json.loads((tmp_path / name).read_text()) if key[:3] == "rec"} for name in ("a.json", "b.json")
    ]
    assert keys == [set(), {"rec_text", "rec_score"}]


def test_what_stopped_a_side_comes_back(tmp_path: Path) -> None:
    Trace(pipeline="port", image="a.png", error=StageError("resize", "no memory")).to_json(tmp_path / "a.json")
    error = Trace.from_json(tmp_path / "a.json").error
    assert isinstance(error, StageError) and (error.stage, str(error)) == ("resize", "no memory")


def test_another_program_may_leave_out_what_it_does_not_know(tmp_path: Path) -> None:
    document = {"format": "pytest-ocrparity trace", "version": 1, "pipeline": "c++", "image": "a.png"}
    (tmp_path / "a.json").write_text(json.dumps({**document, "dt_polys": [QUAD.tolist()], "dt_scores": [None]}))
    assert Trace.from_json(tmp_path / "a.json") == Trace(
        pipeline="c++", image="a.png", detections=Detections((QUAD,), np.array([np.nan]))
    )


def edit(**values: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        document = {**json.loads(path.read_text()), **values}
        path.write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))

    return change


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        (path.parent / name).write_bytes(data)

    return put


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, r"a\.json: cannot read these results: No such file"),
    "empty": (write("a.json", b""), r"a\.json: not JSON .*: it is empty"),
    "html": (write("a.json", b"<html>\n<body>"), r"a\.json: not JSON .*: it begins '<html>\\n<body>'"),
    "not UTF-8": (write("a.json", b"\xff\xfe\x00"), r"a\.json: not JSON"),
    "deep": (write("a.json", b"[" * 100_000), r"a\.json: not JSON"),
    "a list": (write("a.json", b"[]"), r"a\.json: holds a JSON list, not the object"),
    "other format": (edit(format="x"), r"""its "format" is 'x', not 'pytest-ocrparity trace'"""),
    "newer": (edit(version=2), r"has version 2, and this package reads 1"),
    "unknown key": (edit(dt_poly=[]), r"dt_poly is no key of a trace; did you mean 'dt_polys'\?"),
    "no name": (edit(pipeline=...), r"not a whole trace: it has no 'pipeline'"),
    "name": (edit(pipeline=3), r"its pipeline is no name"),
    "boxes": (edit(dt_polys=[[[1, "2"]]]), r"dt_polys\[0\] is \[\[1, '2'\]\], not a list of \[x, y\] in px"),
    "scores": (edit(dt_scores=[0.5]), r"3 boxes in dt_polys but 1 scores"),
    "text": (edit(dt_polys=..., dt_scores=..., rec_text=7), r"the text of a Recognition is a str, not 7"),
    "score of a text": (
        edit(dt_polys=..., dt_scores=..., rec_text="a", rec_score="1"),
        r"is a number or None, not '1'",
    ),
    "two tasks": (edit(rec_text="a"), r"not a whole trace: a trace holds detections or a recognition"),
    "shape": (edit(shape=[1, 2, 3]), r"its shape cannot be a trace's"),
    "parameters": (edit(parameters={"tensor": {"mean": "x"}}), r"its mean cannot be a trace's"),
    "decode": (edit(decode=[]), r"not a whole trace: "),
    "decode key": (edit(decode={"shape": [1, 1, 3]}), r"it has no 'dtype'"),
    "error": (edit(error={"stage": "nowhere", "message": ""}), r"its error names no stage"),
    "arrays": (edit(arrays={"../x": "0"}), r'"arrays" names \.\./x; known: resize, tensor, probability_map, fused_map'),
    "no digest": (edit(arrays={"tensor": 1}), r'"arrays" is .*, not a digest for each array'),
    "another array": (edit(arrays={"tensor": "0" * 64}), r"a\.tensor\.npy is not the array that .*a\.json was written"),
    "cut array": (write("a.tensor.npy", b"\x93NUMPY"), r"a\.tensor\.npy is not the array that"),
    "no array": (lambda path: path.with_name("a.tensor.npy").unlink(), r"a\.tensor\.npy: cannot read these results"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.json"
    WHOLE.to_json(path)
    assert Trace.from_json(path) == WHOLE
    damage, said = WRONG[name]
    damage(path)
    with pytest.raises(ResultError, match=said) as caught:
        Trace.from_json(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_trace_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.json"
    TRACES["boxes alone"].to_json(path)
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            TRACES["no box"].to_json(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["page.json"]
    TRACES["no box"].to_json(path)
    assert path.read_bytes() != before
