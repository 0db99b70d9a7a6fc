"""A bare `.onnx` file: the example's real one, and small ones that are wrong in one thing each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from onnx_files import FLOAT16, write_blob

from pytest_ocrparity import (
    DifferenceError,
    MapEngine,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.artifacts.lint import lint_findings
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.pipeline import OnnxPipeline, load_onnx_pipeline
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ImageError, ModelError
from real import full_port
from real.blob import LIMITS, YML, Model, edited, export_yml, operators_root, write_yml
from real.test_example import EXAMPLE

pytest.importorskip("onnxruntime")
Page = npt.NDArray[np.uint8]
ALL = (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections)
PAGES = [EXAMPLE / "images" / name for name in ("receipt.png", "rotated.jpg", "exif_orientation.jpg", "alpha.png")]


@pytest.fixture(scope="module")
def example() -> TrainingPipeline:
    """The example's trained model."""
    config, checkpoint = EXAMPLE / "configs" / "tiny_db.yml", EXAMPLE / "checkpoints" / "tiny_db"
    network: dict[str, Any] = {"network": "tiny_db.network:build", "network_folder": EXAMPLE}
    return load_training(config=config, checkpoint=checkpoint, paddleocr_root=operators_root(), **network)


def bare(folder: Path, **edits: Any) -> Path:
    """Return a copy of the example's real file under another name, beside its inference.yml with some values."""
    source = EXAMPLE / "inference_onnx"
    yml = edited(yaml.safe_load((source / "inference.yml").read_text()), **edits)
    write_yml(folder / "inference.yml", yml)
    return Path(shutil.copy(source / "inference.onnx", folder / "net.onnx"))


def difference(compare: Any, reference: Trace, candidate: Trace) -> DifferenceError:
    with pytest.raises(DifferenceError) as caught:
        compare(reference, candidate)
    return caught.value


def cause(compare: Any, reference: Trace, candidate: Trace) -> Diagnosis:
    (found,) = difference(compare, reference, candidate).diagnoses
    return found


def updated(options: Mapping[str, Any], diagnosis: Diagnosis) -> dict[str, Any]:
    """Return options as the fix of a diagnosis says."""
    assert diagnosis.fix is not None
    (change,) = diagnosis.fix.changes
    assert change.where == "inference.options"
    return {name: value for name, value in {**options, **change.values}.items() if value is not None}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_right_file_passes(example: TrainingPipeline, tmp_path: Path, page: Path) -> None:
    trace = load_onnx_pipeline(bare(tmp_path), LIMITS).trace(page)
    assert trace.parameters["probability_map"] == {
        "engine": "onnxruntime",
        "device": "cpu",
        "providers": ["CPUExecutionProvider"],
        "model_file": "net.onnx",
        "outputs": 1,
    }
    for compare in ALL:
        compare(example.trace(page), trace)


def test_a_wrong_threshold_beside_the_file_is_named_and_its_fix_works(
    example: TrainingPipeline, tmp_path: Path
) -> None:
    file = bare(tmp_path, PostProcess__unclip_ratio=2.0)
    reference = example.trace(PAGES[0])
    found = cause(assert_same_detections, reference, load_onnx_pipeline(file, LIMITS).trace(PAGES[0]))
    assert found.cause == "postprocess.unclip_ratio"
    assert found.summary == "unclip_ratio 1.5 in train, 2 in inference"
    assert found.fix is not None and "under PostProcess, set unclip_ratio: 1.5" in found.fix.text
    (change,) = found.fix.changes
    assert (change.where, change.key, change.values) == ("inference.yml", "PostProcess", {"unclip_ratio": 1.5})
    right = bare(tmp_path, **{f"PostProcess__{name}": value for name, value in change.values.items()})
    assert_same_detections(reference, load_onnx_pipeline(right, LIMITS).trace(PAGES[0]))


@pytest.mark.parametrize(
    ("options", "compare", "named"),
    [
        ({"mean": [0.5, 0.5, 0.5]}, assert_same_preprocessing, "normalize.mean_std"),
        ({"img_mode": "RGB"}, assert_same_preprocessing, "decode.channel_order"),
        ({"limit_side_len": 960, "limit_type": "max"}, assert_same_preprocessing, "resize.limits"),
        ({"box_thresh": 0.9}, assert_same_detections, "postprocess.box_thresh"),
    ],
    ids=["mean", "order", "limits", "box_thresh"],
)
def test_a_wrong_option_is_named_and_its_fix_works(
    example: TrainingPipeline, tmp_path: Path, options: dict[str, Any], compare: Any, named: str
) -> None:
    file, given, reference = bare(tmp_path), {**LIMITS, **options}, example.trace(PAGES[0])
    found = cause(compare, reference, load_onnx_pipeline(file, given).trace(PAGES[0]))
    assert found.cause == named
    assert found.fix is not None and found.fix.text.startswith("in the deployment's own code, set ")
    compare(reference, load_onnx_pipeline(file, updated(given, found)).trace(PAGES[0]))


def test_without_a_yml_all_keys_are_asked_for_and_the_training_yml_is_not_looked_at(tmp_path: Path) -> None:
    file = bare(tmp_path)
    (tmp_path / "inference.yml").unlink()
    with pytest.raises(
        ModelError, match="lack img_mode, limit_side_len, limit_type, scale, mean, std, thresh, box_thr"
    ):
        load_onnx_pipeline(file)


def test_another_rule_of_the_resize_is_what_runs_after_its_fix(tmp_path: Path) -> None:
    file = bare(tmp_path)
    for rule, values in (
        ("image_shape", {"image_shape": [320, 480], "keep_ratio": True}),
        ("resize_long", {"resize_long": 640}),
        ("limit", {"limit_side_len": 640, "limit_type": "max"}),
    ):
        for given in (dict(LIMITS), {"resize_long": 480}, {"image_shape": [320, 320]}):
            side = load_onnx_pipeline(file, given)
            (change,) = side.parameter_fix("resize", {"rule": rule, **values}).changes
            options = {name: value for name, value in {**given, **change.values}.items() if value is not None}
            assert load_onnx_pipeline(file, options).parameters["resize"].items() >= values.items()


def test_engines_that_are_not_here_are_refused(tmp_path: Path) -> None:
    file = bare(tmp_path)
    with pytest.raises(ModelError, match="ask ONNX Runtime for CUDAExecutionProvider, and what it has here is "):
        load_onnx_pipeline(file, {**LIMITS, "device": "gpu"})
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no protobuf")
    with pytest.raises(ModelError, match=r"wrong\.onnx: ONNX Runtime .* cannot load it: "):
        load_onnx_pipeline(wrong, LIMITS)
    with pytest.raises(ModelError, match=r"none\.onnx: no such file: inference\.model_file is an \.onnx file"):
        load_onnx_pipeline(tmp_path / "none.onnx", LIMITS)


def test_a_session_that_falls_back_by_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with isolated():
        import onnxruntime
    real = onnxruntime.InferenceSession
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: real(*a, **{**k, "providers": names[1:]}))
    with pytest.raises(ModelError, match="ask ONNX Runtime for CUDAExecutionProvider, and what it has here is CPU"):
        load_onnx_pipeline(bare(tmp_path), {**LIMITS, "device": "gpu"})
    options = {**LIMITS, "engine": "onnxruntime", "engine_config": {"providers": names}}
    with pytest.raises(ModelError, match="ask ONNX Runtime for CUDAExecutionProvider, and what it has here is CPU"):
        load_inference(model_dir=EXAMPLE / "inference_onnx", options=options)
    options["engine_config"] = {"providers": names[1:]}
    side = load_inference(model_dir=EXAMPLE / "inference_onnx", options=options)
    assert side.parameters["probability_map"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("folder", "options"),
    [
        ("inference", {"device": "cpu"}),
        ("inference", {"device": "cpu", "engine_config": {"paddle_static": {"run_mode": "paddle"}}}),
        ("inference_onnx", {"device": "cpu", "engine": "onnxruntime"}),
    ],
    ids=["cpu", "engine_config", "onnxruntime"],
)
def test_what_the_files_findings_call_passed_over_changes_nothing(folder: str, options: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"model_dir": EXAMPLE / folder, "options": {**LIMITS, **options}}
    asked = {**settings["options"], "use_tensorrt": True, "precision": "fp16"}
    assert sum("passes over" in text for text in lint_findings({}, {**settings, "options": asked})) == 2
    plain, other = load_inference(**settings), load_inference(**{**settings, "options": asked})
    assert other.parameters["probability_map"] == plain.parameters["probability_map"]
    expected, found = plain.trace(PAGES[0]).probability_map, other.trace(PAGES[0]).probability_map
    assert expected is not None and found is not None
    np.testing.assert_array_equal(found, expected)


# Small files: the network of the blob


def blob(folder: Path, **arguments: Any) -> OnnxPipeline:
    write_yml(folder / "inference.yml", export_yml(YML))
    return load_onnx_pipeline(write_blob(folder / "net.onnx", **arguments), LIMITS)


def test_the_written_file_is_the_blob(train: TrainingPipeline, page: Page, tmp_path: Path) -> None:
    for compare in ALL:
        compare(train.trace(page), blob(tmp_path).trace(page))


def test_a_fixed_size_is_named_with_both_sizes(train: TrainingPipeline, page: Page, tmp_path: Path) -> None:
    trace = blob(tmp_path, size=(64, 96)).trace(page)
    assert trace.error is not None
    said = "takes one size of tensor alone: height 64, width 96 px; it was given height 736, width 1024"
    assert said in str(trace.error)
    error = difference(assert_same_probability_maps, train.trace(page), trace)
    assert said in str(error)
    assert [each.cause for each in error.diagnoses] == ["network.fixed_shape"]
    assert blob(tmp_path, size=(736, 1024)).trace(page).error is None


def test_a_fixed_size_behind_paddleocrs_class_is_named_too(page: Page, tmp_path: Path, model: Model) -> None:
    write_yml(tmp_path / "inference.yml", export_yml(YML))
    write_blob(tmp_path / "inference.onnx", size=(64, 96))
    side = load_inference(model_dir=tmp_path, options={**LIMITS, "engine": "onnxruntime"})
    assert side.input_size() == (64, 96)
    assert "height 64, width 96 px; it was given height 736, width 1024" in str(side.trace(page).error)
    assert side.parameters["probability_map"]["providers"] == ["CPUExecutionProvider"]


def test_a_map_that_is_the_second_output_is_found(train: TrainingPipeline, page: Page, tmp_path: Path) -> None:
    trace = blob(tmp_path, is_first=False).trace(page)
    assert cause(assert_same_probability_maps, train.trace(page), trace).cause == "network.outputs"


def constants(model: Any) -> dict[str, Any]:
    """Return what the nodes of a file hold, by name."""
    return {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}


def rewritten(model: Any, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Put other arrays in the place of some that a file holds: by name, what `change` makes of all of them."""
    from onnx import numpy_helper

    held = constants(model)
    for name, array in change({name: numpy_helper.to_array(each) for name, each in held.items()}).items():
        held[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))


def scaled(model: Any) -> None:
    rewritten(model, lambda arrays: {"conv2d_3.w_0": arrays["conv2d_3.w_0"] * 1.2})


def rounded(model: Any) -> None:
    rewritten(
        model, lambda arrays: {n: each.astype(np.float16) for n, each in arrays.items() if n.startswith("conv2d")}
    )


def exchanged(model: Any) -> None:
    one, other = "batch_norm2d_3.w_0", "batch_norm2d_4.w_0"
    rewritten(model, lambda arrays: {one: arrays[other], other: arrays[one]})


def pruned(model: Any) -> None:
    """Take one channel out of a convolution, and of all that takes what it makes."""
    first, second, norm = "conv2d_3.w_0", "conv2d_4.w_0", "batch_norm2d_3."
    rewritten(
        model,
        lambda arrays: {
            **{name: each[:-1] for name, each in arrays.items() if name == first or name.startswith(norm)},
            second: arrays[second][:, :-1],
        },
    )


def moved_bias(model: Any) -> None:
    rewritten(model, lambda arrays: {"conv2d_transpose_1.b_0": arrays["conv2d_transpose_1.b_0"] + 0.5})


def hidden(model: Any) -> None:
    """Store a kernel as what another operator is to make of it, which is not read."""
    from onnx import helper, numpy_helper

    node = next(each for each in model.graph.node if each.output[0] == "conv2d_3.w_0")
    node.output[0] = "kernel"
    shape = numpy_helper.from_array(np.array(node.attribute[0].t.dims, np.int64), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("Expand", ["kernel", "shape"], ["conv2d_3.w_0"]))
    model.graph.node.remove(node)
    model.graph.node.insert(0, node)


def folded(model: Any) -> None:
    """Keep the bias of the last layer as it is added, under another name, as simplifiers do."""
    (reshape,) = (node for node in model.graph.node if node.op_type == "Reshape")
    bias = constants(model)[reshape.input[0]]
    model.graph.initializer.add().CopyFrom(bias)
    model.graph.initializer[-1].name = reshape.output[0]
    model.graph.initializer[-1].dims[:] = [1, 1, 1, 1]
    model.graph.node.remove(reshape)


def renamed(model: Any) -> None:
    """Give every array another name, and the file's list of arrays another order."""
    names: dict[str, str] = {}
    for name, tensor in sorted(constants(model).items(), key=lambda each: each[0][::-1]):
        model.graph.initializer.add().CopyFrom(tensor)
        model.graph.initializer[-1].name = name
    for node in [each for each in model.graph.node if each.op_type == "Constant"]:
        model.graph.node.remove(node)
    ends = {model.graph.input[0].name, model.graph.output[0].name, ""}
    for node in model.graph.node:
        for taken in (node.input, node.output):
            taken[:] = [name if name in ends else names.setdefault(name, f"onnx::{len(names)}") for name in taken]
    for each in model.graph.initializer:
        each.name = names.setdefault(each.name, f"onnx::{len(names)}")


@pytest.mark.parametrize(
    ("edits", "named", "told"),
    [
        ([scaled, folded, renamed], "network.weights", "49 of 50 stored arrays .*; not: stages.1.0.0.weight$"),
        ([rounded], "precision.fp16", "36 of 50 stored arrays"),
        ([exchanged, renamed], "network.weights", "48 of 50 .*; not: stages.1.0.1.weight, stages.1.1.1.weight$"),
        ([moved_bias, folded], "network.weights", "49 of 50 stored arrays .*; not: probability.layers.4.bias$"),
        (
            [scaled, hidden],
            "unknown",
            "^network.weights: all 49 .*; of 50 arrays of layers that train runs, not found: stages.1.0.0.weight$",
        ),
        ([pruned, renamed], "unknown", "^network.weights: the 50 arrays of inference against train's: neither"),
    ],
    ids=[
        "a weight",
        "halves, with names",
        "two of one shape exchanged",
        "a folded bias",
        "not read: unknown",
        "pruned: unknown",
    ],
)
def test_weights_of_a_file_are_told_apart(
    example: TrainingPipeline, tmp_path: Path, edits: Sequence[Callable[[Any], None]], named: str, told: str
) -> None:
    onnx = pytest.importorskip("onnx")
    file = bare(tmp_path)
    model = onnx.load(str(file))
    for edit in edits:
        edit(model)
    onnx.save(model, str(file))
    found = cause(
        assert_same_probability_maps, example.trace(PAGES[1]), load_onnx_pipeline(file, LIMITS).trace(PAGES[1])
    )
    assert found.cause == named
    assert any(re.search(told, text) for text in (*found.evidence, *found.not_tried)), found
    assert not any(text.startswith("network.weights") for text in found.ruled_out)


def test_another_network_stays_unknown_and_its_weights_are_said_to_be_not_read(
    train: TrainingPipeline, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ocrparity.backends.onnx.onnx_reading.find_spec", lambda name: None)
    found = cause(assert_same_probability_maps, train.trace(page), blob(tmp_path, steep=1.2).trace(page))
    assert found.cause == "unknown"
    told = "not read: the weights of net.onnx, as the package onnx is not installed"
    assert any(told in text for text in found.not_tried)
    assert any("graph optimisation" in text for text in (*found.tried, *found.ruled_out))


def test_an_optimisation_that_changes_the_map_is_named(
    train: TrainingPipeline, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with isolated():
        import onnxruntime
    real, plain = onnxruntime.InferenceSession, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL

    class Session:
        """Scales the map unless optimisation is off."""

        def __init__(self, file: str, options: Any, **given: Any) -> None:
            self._real, self._factor = real(file, options, **given), 0.9
            if options.graph_optimization_level == plain:
                self._factor = 1.0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def run(self, *given: Any) -> list[Any]:
            return [output * np.float32(self._factor) for output in self._real.run(*given)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    found = cause(assert_same_probability_maps, train.trace(page), blob(tmp_path).trace(page))
    assert found.cause == "engine.optimization"
    assert found.fix is not None and "graph_optimization_level = ORT_DISABLE_ALL" in found.fix.text


def test_of_a_folder_with_a_program_as_well_the_file_that_runs_is_read(tmp_path: Path) -> None:
    """An ONNX file that was converted of an earlier export would else be called as right as the program beside it."""
    pytest.importorskip("onnx")
    folder = Path(shutil.copytree(EXAMPLE / "inference", tmp_path / "inference"))
    write_blob(folder / "inference.onnx")
    options = {**LIMITS, "device": "cpu", "enable_mkldnn": False}
    side = load_inference(model_dir=folder, options={**options, "engine": "onnxruntime"})
    assert [other.cause for other in side.other_engines()] == ["network.own_code"]
    assert not side.stores_all_weights() and side.is_in_train_mode() is None
    assert side.network_graph().nodes[0].operator == "data" and len(side.stored_weights()) < 10
    twin = load_inference(model_dir=folder, options=options)
    assert [other.cause for other in twin.other_engines()] == ["network.own_code", "engine.optimization"]
    assert twin.stores_all_weights() and len(twin.stored_weights()) > 40


def test_an_input_in_half_precision_is_refused(tmp_path: Path) -> None:
    write_yml(tmp_path / "inference.yml", export_yml(YML))
    file = write_blob(tmp_path / "half.onnx", kind=FLOAT16)
    with pytest.raises(ModelError, match=r"half\.onnx: "):
        load_onnx_pipeline(file, LIMITS)


def test_images_that_are_none_are_errors(tmp_path: Path) -> None:
    side = blob(tmp_path)
    (tmp_path / "page.png").write_bytes(b"\x89PNG no image IEND")
    with pytest.raises(ImageError, match=r"page\.png: paddlex cannot decode this file"):
        side.trace(tmp_path / "page.png")
    (tmp_path / "page.pdf").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(ImageError, match=r"page\.pdf is a PDF, .*render its pages once to PNG files"):
        side.trace(tmp_path / "page.pdf")


# Own engines on the real network


def session(file: Path) -> Any:
    with isolated():
        import onnxruntime

        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def test_an_engine_with_paddleocrs_processing(example: TrainingPipeline) -> None:
    net = session(EXAMPLE / "inference_onnx" / "inference.onnx")
    like = load_inference(model_dir=EXAMPLE / "inference", options=LIMITS)

    def run(tensor: Any) -> Any:
        return net.run(None, {net.get_inputs()[0].name: tensor})[0]

    reference = example.trace(PAGES[0])
    for compare in ALL:
        compare(reference, MapEngine(run, like=like, name="mine").trace(PAGES[0]))
    scaled = MapEngine(lambda tensor: run(tensor) * np.float32(0.9), like=like, name="mine").trace(PAGES[0])
    assert_same_preprocessing(reference, scaled)
    error = difference(assert_same_probability_maps, reference, scaled)
    assert error.diagnoses[0].stage == "probability_map"
    wrong = load_inference(model_dir=EXAMPLE / "inference", options={**LIMITS, "unclip_ratio": 2.0})
    found = cause(assert_same_detections, reference, MapEngine(run, like=wrong, name="mine").trace(PAGES[0]))
    assert found.cause == "postprocess.unclip_ratio"


# The port of the documentation


ONNX_FILE = str(EXAMPLE / "inference_onnx" / "inference.onnx")
PREPROCESS, POSTPROCESS = full_port.preprocess, full_port.postprocess


def test_a_full_port_takes_under_25_lines() -> None:
    code = Path(full_port.__file__).read_text().partition("def make_port")[2].splitlines()
    assert 15 < len([line for line in code if line.strip()]) < 25


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_full_port_passes(example: TrainingPipeline, page: Path) -> None:
    trace = full_port.make_port(ONNX_FILE).trace(page)
    assert trace.error is None and len(trace.detections or []) > 0
    for compare in ALL:
        compare(example.trace(page), trace)


def moved(made: Any, shape: Any) -> Any:
    polygons, scores = POSTPROCESS(made, shape)
    return [each + 6 for each in polygons], scores


def without_std(image: Any) -> Any:
    made = PREPROCESS(image)
    return {**made, "tensor": made["tensor"] * full_port.STD[None, :, None, None]}


@pytest.mark.parametrize(
    ("name", "function", "fails", "stage"),
    [
        ("preprocess", without_std, assert_same_preprocessing, "tensor"),
        ("postprocess", moved, assert_same_detections, "detections"),
    ],
    ids=["std", "offset"],
)
def test_a_full_port_with_one_fault_fails_at_its_stage(
    example: TrainingPipeline, monkeypatch: pytest.MonkeyPatch, name: str, function: Any, fails: Any, stage: str
) -> None:
    monkeypatch.setattr(full_port, name, function)
    error = difference(fails, example.trace(PAGES[0]), full_port.make_port(ONNX_FILE).trace(PAGES[0]))
    assert {each.stage for each in error.diagnoses} == {stage}


def test_a_full_port_with_a_wrong_dtype_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(image: Any) -> Any:
        return {**PREPROCESS(image), "tensor": np.zeros((1, 3, 32, 32))}

    monkeypatch.setattr(full_port, "preprocess", wide)
    said = 'returned "tensor", an array of shape (1, 3, 32, 32), float64: the network'
    assert said in str(full_port.make_port(ONNX_FILE).trace(PAGES[0]).error)
