"""Batches through paddleocr's own class, on paddle and on ONNX Runtime, and through PaddleX's operators."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.deployment import Deployment
from onnx_files import write_blob

from pytest_ocrparity import Pipeline
from pytest_ocrparity.backends.batches import trace_batch
from pytest_ocrparity.backends.onnx.pipeline import load_onnx_pipeline
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference, load_paddlex_pipeline
from pytest_ocrparity.backends.paddlex.program import program_batch_refusal
from pytest_ocrparity.contract import trace_anew
from pytest_ocrparity.diagnose.batch_runs import BatchRun
from pytest_ocrparity.errors import ModelError, StageError
from pytest_ocrparity.tolerance import BUILT_IN
from real.blob import LIMITS
from real.features import runner_attribute
from real.test_example import EXAMPLE

SAME_SIZE = [EXAMPLE / "images" / name for name in ("receipt.png", "border.png", "alpha.png")]
"""Their tensors are 480x640, under the limits below."""
OTHER_SIZE = EXAMPLE / "images" / "curved.png"
SMALL = {**LIMITS, "limit_side_len": 480}
OPTIONS = {**SMALL, "device": "cpu"}


def on_paddle(**options: Any) -> InferencePipeline:
    return load_inference(model_dir=EXAMPLE / "inference", options={**OPTIONS, **options})


def on_onnx() -> InferencePipeline:
    return load_inference(model_dir=EXAMPLE / "inference_onnx", options={**OPTIONS, "engine": "onnxruntime"})


def bare() -> Pipeline:
    return load_onnx_pipeline(EXAMPLE / "inference_onnx" / "inference.onnx", SMALL)


SIDES: dict[str, Callable[[], Any]] = {"paddle": on_paddle, "onnxruntime": on_onnx, "a bare file": bare}


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> Any:
    if request.param != "paddle":
        pytest.importorskip("onnxruntime")
    return SIDES[request.param]()


def tap_of(side: Any) -> Any:
    """Return what stands in the place of the side's runner."""
    inner = side._predictor.inner
    return getattr(inner, runner_attribute(inner))


def run_of(side: Any, images: list[Path]) -> BatchRun:
    return BatchRun.of(side, images, [trace_anew(side, image) for image in images])


def test_each_page_comes_out_as_it_does_alone_in_all_stages(side: Any) -> None:
    run = run_of(side, SAME_SIZE)
    for index, (alone, together) in enumerate(zip(run.alone, run.together, strict=True)):
        assert [each.status for each in run.comparisons(index, BUILT_IN)] == ["same"] * 3
        assert alone.stages == together.stages
        assert alone.tensor is not None and together.tensor is not None
        assert np.array_equal(alone.tensor, together.tensor)
        assert alone.shape == together.shape
        assert together.probability_map is not None and together.probability_map.shape[:2] == (1, 1)
        assert len(together.detections or ()) == len(alone.detections or ()) > 0
        assert alone.parameters["resize"] == together.parameters["resize"]
    assert len({trace.tensor.tobytes() for trace in run.together if trace.tensor is not None}) == 3


def test_the_network_runs_once_for_all_of_them(side: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []

    def noting(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def noted(x: Any) -> Any:
            shapes.append(x[0].shape if isinstance(x, list) else x.shape)
            return run(x)

        return noted

    if isinstance(side, InferencePipeline):
        monkeypatch.setattr(tap_of(side), "_real", noting(side._predictor.runner))
    else:
        monkeypatch.setattr(side, "infer", noting(side.infer))
    trace_batch(side, SAME_SIZE)
    assert shapes == [(3, 3, 480, 640)]


def test_arrays_and_files_may_share_a_batch(side: Any) -> None:
    array = np.full((480, 640, 3), 90, np.uint8)
    one, two = trace_batch(side, [array, SAME_SIZE[0]])
    assert one.decode is not None and two.decode is not None
    assert len(one.detections or ()) == 0 < len(two.detections or ())


def test_pages_of_two_sizes_are_numpys_error(side: Any) -> None:
    with pytest.raises((StageError, ValueError), match="all input arrays must have the same shape"):
        trace_batch(side, [SAME_SIZE[0], OTHER_SIZE])
    trace_batch(side, SAME_SIZE[:2])


def test_rows_in_another_order_are_found_and_named() -> None:
    side = on_paddle()
    tap = tap_of(side)
    real = tap._real
    tap._real = lambda x: [each[::-1] for each in real(x)]
    run = run_of(side, SAME_SIZE)
    assert [each.status for each in run.comparisons(1, BUILT_IN)] == ["same"] * 3  # the middle stays where it is
    assert "different" in [each.status for each in run.comparisons(0, BUILT_IN)]
    (found,) = run.diagnose(0, BUILT_IN)
    assert found.cause == "engine.batch"
    assert f"receipt.png gets the result of {run.alone[2].label}: results are in another order" in found.summary


def test_an_engine_that_mixes_pages_is_found_and_named() -> None:
    side = on_paddle()
    tap = tap_of(side)
    real = tap._real
    tap._real = lambda x: [each * np.float32(0.8) + each[-1:] * np.float32(0.2) for each in real(x)]
    (found,) = run_of(side, SAME_SIZE).diagnose(0, BUILT_IN)
    assert found.cause == "engine.batch"
    assert "depends on the other images of its batch" in found.summary


def test_a_subclass_runs_its_own_network_on_the_stacked_tensors() -> None:
    class Dims(InferencePipeline):
        def infer(self, tensor: Any) -> Any:
            return super().infer(tensor) * np.float32(0.5)

    side = on_paddle()
    side.__class__ = Dims
    run = run_of(side, SAME_SIZE[:2])
    assert [each.status for each in run.comparisons(0, BUILT_IN)][:2] == ["same", "same"]
    with pytest.raises(ModelError, match="Dims has no fresh"):
        side.fresh()


def test_a_file_that_was_exported_for_one_page_says_so(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    shutil.copy(EXAMPLE / "inference_onnx" / "inference.yml", tmp_path)
    write_blob(tmp_path / "inference.onnx")
    text = r"the ONNX file was exported for a batch of 1 alone, and was given 2 images. Export with a free first"
    for side in (
        load_onnx_pipeline(tmp_path / "inference.onnx", SMALL),
        load_inference(model_dir=tmp_path, options={**OPTIONS, "engine": "onnxruntime"}),
    ):
        with pytest.raises(StageError, match=text):
            trace_batch(side, SAME_SIZE[:2])
        assert trace_batch(side, SAME_SIZE[:1])[0].probability_map is not None


def test_a_program_that_was_exported_for_one_page_is_run_all_the_same(tmp_path: Path) -> None:
    deployment = Deployment.copy(tmp_path)
    deployment.export(shape=(1, 3, -1, -1))
    side = load_inference(model_dir=tmp_path / "inference", options=OPTIONS)
    run = run_of(side, SAME_SIZE[:2])  # paddle runs what its program does not declare, and it comes out right
    assert [each.status for each in run.comparisons(0, BUILT_IN)] == ["same"] * 3
    program = tmp_path / "inference" / "inference.json"
    text = "the program was exported for a batch of 1 alone, and was given 3 images; export with a free first dimension"
    assert program_batch_refusal(program, 3, "InvalidArgumentError").startswith(text)
    assert program_batch_refusal(program, 1, "InvalidArgumentError") == ""
    assert program_batch_refusal(program, 3, "all input arrays must have the same shape") == ""
    assert program_batch_refusal(EXAMPLE / "inference" / "inference.json", 3, "InvalidArgumentError") == ""


def test_a_batch_that_memory_does_not_allow_is_refused_before_it_runs() -> None:
    side = load_inference(model_dir=EXAMPLE / "inference", options=OPTIONS, memory_limit=600_000_000)
    assert trace_anew(side, SAME_SIZE[0]).error is None
    with pytest.raises(StageError, match="a batch of 32 tensors of 640x480 px"):
        trace_batch(side, SAME_SIZE[:1] * 32)


def test_a_side_that_is_loaded_anew_has_run_nothing(side: Any) -> None:
    trace = trace_anew(side, SAME_SIZE[0])
    other = side.fresh()
    assert other is not side and type(other) is type(side)
    assert other._traces == {}
    again = other.trace(SAME_SIZE[0])
    assert again.probability_map is not None and trace.probability_map is not None
    assert np.array_equal(again.probability_map, trace.probability_map)
    assert other.identity == side.identity


def test_a_trace_anew_is_not_the_kept_one(side: Any) -> None:
    kept = side.trace(SAME_SIZE[0])
    assert side.trace(SAME_SIZE[0]) is kept
    anew = trace_anew(side, SAME_SIZE[0])
    assert anew is not kept
    assert (anew.image, anew.image_sha256) == (kept.image, kept.image_sha256)
    assert side.trace(SAME_SIZE[0]) is kept


def test_lines_of_several_widths_run_as_one_batch_and_of_those_filled_up_the_texts_are_compared() -> None:
    lines = [EXAMPLE / "lines" / name for name in ("blank.png", "wide_receipt.png", "digit.png", "small.png")]
    run = run_of(load_paddlex_pipeline(model_dir=EXAMPLE / "inference_rec"), lines)
    compared = [run.comparisons(index, BUILT_IN) for index in range(len(lines))]
    assert all(each.is_match for comparisons in compared for each in comparisons)
    kinds = [[each.kind for each in comparisons] for comparisons in compared]
    assert kinds == [["text"], ["preprocessing", "probability_maps", "text"], ["text"], ["text"]]


def test_a_line_that_reads_otherwise_as_the_batch_fills_it_up_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    side = load_paddlex_pipeline(model_dir=EXAMPLE / "inference_rec")
    tap = tap_of(side)
    real = tap._real

    def attends(x: Any) -> list[Any]:
        """Let many empty columns change the first timesteps, as in networks that see the whole line."""
        (maps,) = real(x)
        for tensor, timesteps in zip(x[0], maps, strict=True):
            timesteps[: 4 * int((tensor == 0).all((0, 1)).sum() > 400)] = np.eye(maps.shape[-1])[5]
        return [maps]

    monkeypatch.setattr(side._predictor, "runner", attends)
    monkeypatch.setattr(tap, "_real", attends)
    run = run_of(side, [EXAMPLE / "lines" / name for name in ("digit.png", "wide_receipt.png")])
    assert [each.is_match for each in run.comparisons(0, BUILT_IN)] == [False]
    assert run.diagnose(0, BUILT_IN)[0].cause == "resize.batch_padding"
    assert [each.is_match for each in run.comparisons(1, BUILT_IN)] == [True] * 3
