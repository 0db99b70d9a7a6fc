"""The layer at which an export of the example goes wrong: over PIR, a .pdmodel and ONNX, and in a diagnosis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from faults.deployment import EXAMPLE, Deployment, save, trained, write_settings
from faults.exports import own_network
from faults.ports import Port

from pytest_ocrparity.__main__ import main
from pytest_ocrparity.backends.graphs import program_graph
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.graphs.pir_graph import PirGraph
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.ppocr.network import Network
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.layers.layer_texts import layer_of_search
from pytest_ocrparity.diagnose.layers.search import NOT_SHOWN, Search, search_layers
from pytest_ocrparity.diagnosis import Diagnosis, Layer
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.tolerance import BUILT_IN
from real.features import HAS_STALE_PROGRAMS
from real.peak import held
from real.state import changes, snapshot

Change = Callable[[Any], Any]


def weight(network: Any) -> None:
    layer = network.stages[1][0][0]
    values = layer.weight.numpy()
    values[3] *= 1.2
    layer.weight.set_value(values)


def rescaled(network: Any) -> None:
    """Double what goes into a layer, and halve its kernel."""
    for each in network.lateral:
        each.weight.set_value(2 * each.weight.numpy())
    kernel = network.probability.layers[0][0].weight
    kernel.set_value(kernel.numpy() / 2)


def bias(network: Any) -> None:
    layer = network.probability.layers[4]
    layer.bias.set_value(layer.bias.numpy() + 0.5)


def statistics(network: Any) -> None:
    layer = network.stages[1][1][1]
    layer._mean.set_value(layer._mean.numpy() + 0.3)


def epsilon(network: Any) -> None:
    network.stages[0][1][1]._epsilon = 1e-2


def activation(network: Any) -> None:
    import paddle

    network.stages[2][0][2] = paddle.nn.LeakyReLU(0.05)


def dilation(network: Any) -> None:
    layer = network.stages[1][1][0]
    layer._dilation = layer._padding = layer._updated_padding = [2, 2]


FAULTS: Mapping[str, tuple[Change, str, str]] = {
    "weight": (weight, "stages.1.0.0", "conv2d"),
    "bias": (bias, "probability.layers.4", "add"),
    "statistics": (statistics, "stages.1.1.1", "batch_norm"),
    "epsilon": (epsilon, "stages.0.1.1", "batch_norm"),
    "activation": (activation, "stages.2.0.2", "relu"),
    "dilation": (dilation, "stages.1.1.0", "conv2d"),
}


@pytest.fixture(scope="module")
def part() -> npt.NDArray[np.float32]:
    """A part of a page as a tensor."""
    import cv2

    pixels = cv2.imread(str(EXAMPLE / "images" / "receipt.png"))[:160, :192]
    normalised = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], np.float32)


def searched(reference: Any, candidate: Any, part: npt.NDArray[np.float32]) -> Search:
    return search_layers(reference, candidate, part, 1e-4)


@pytest.fixture(scope="module")
def right() -> PirGraph:
    """The example's network, traced."""
    return Network(trained(), "cpu").network_graph()


def changed(change: Change) -> Any:
    with isolated():
        network = trained()
        change(network)
        network.eval()
    return network


def test_a_traced_network_has_the_names_of_its_layers(right: PirGraph, part: npt.NDArray[np.float32]) -> None:
    layers = {node.layer for node in right.nodes}
    assert {"stem.0", "stages.2.1.2", "lateral.1", "probability.layers.4", ""} < layers
    network = Network(trained(), "cpu")
    assert np.max(np.abs(network.run(part) - right.run(part, [right.output])[0])) < 1e-6


@pytest.mark.parametrize("name", FAULTS)
def test_the_layer_of_a_fault_in_a_program(
    name: str, right: PirGraph, part: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    change, layer, operator = FAULTS[name]
    save(changed(change), tmp_path)
    found = searched(right, program_graph(tmp_path / "inference.json"), part)
    assert found.is_proved, found.why
    named = layer_of_search(found)
    assert named.name == layer
    assert found.runs <= 8
    assert named.operator == operator


@pytest.mark.parametrize("place", [0, 2])
def test_what_lies_beside_a_branch_is_found(
    place: int, right: PirGraph, part: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    """The export runs its second stage in a branch on the size: what that takes is what its operators take."""

    def change(network: Any) -> None:
        import paddle

        class Either(paddle.nn.Layer):
            def __init__(self, stage: Any) -> None:
                super().__init__()
                self.stage = stage

            def forward(self, x: Any) -> Any:
                return paddle.static.nn.cond(paddle.shape(x)[2] > 8, lambda: self.stage(x), lambda: self.stage(x))

        network.stages[1] = Either(network.stages[1])
        network.stages[place][0][1]._epsilon = 1e-2

    save(changed(change), tmp_path)
    found = searched(right, program_graph(tmp_path / "inference.json"), part)
    assert found.is_proved, found.why
    assert layer_of_search(found).name == f"stages.{place}.0.1"


def test_a_file_with_operators_that_are_not_onnxs_is_not_searched(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(EXAMPLE / "inference_onnx" / "inference.onnx"))
    node = next(each for each in model.graph.node if each.op_type == "Conv")
    node.op_type, node.domain = "FusedConv", "com.microsoft"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(tmp_path / "inference.onnx"))
    told = r"not read: inference\.onnx holds FusedConv \(com\.microsoft\), as of a file that was optimised"
    with pytest.raises(ModelError, match=told):
        OnnxGraph(tmp_path / "inference.onnx")


OTHERS = [
    ("pdmodel", "weight"),
    ("pdmodel", "epsilon"),
    *(("onnx", name) for name in ("bias", "epsilon", "activation")),
]


@pytest.mark.parametrize(("kind", "name"), OTHERS)
def test_the_layer_of_a_fault_on_the_other_side(kind: str, name: str, part: npt.NDArray[np.float32]) -> None:
    """The example's own exports against a network that was changed: the same layers differ."""
    change, layer, _ = FAULTS[name]
    found = searched(Network(changed(change), "cpu").network_graph(), exported(kind), part)
    assert found.is_proved, found.why
    assert layer_of_search(found).name == layer


def exported(kind: str) -> Any:
    if kind == "onnx":
        pytest.importorskip("onnx")
        return OnnxGraph(EXAMPLE / "inference_onnx" / "inference.onnx")
    folder = "inference_pdmodel" if kind == "pdmodel" else "inference"
    return program_graph(EXAMPLE / folder / f"inference.{kind}")


@pytest.mark.parametrize("kind", ["json", "pdmodel", "onnx"])
def test_a_right_export_has_no_layer(kind: str, right: PirGraph, part: npt.NDArray[np.float32]) -> None:
    found = searched(right, exported(kind), part)
    assert (found.places, found.why) == ((), NOT_SHOWN)


def test_operators_without_weights_run_by_themselves(right: PirGraph, part: npt.NDArray[np.float32]) -> None:
    arrays = right.run(part, range(len(right.nodes)))
    tried = [place for place, node in enumerate(right.nodes) if node.operator in ("relu", "nearest_interp", "sigmoid")]
    assert len(tried) > 5
    for place in tried:
        node, meant = right.nodes[place], arrays[place]
        given = arrays[node.inputs[0]]
        made = right.operator_output(node.operator, node.attributes, given, meant.shape)
        assert made is not None
        assert np.max(np.abs(made - meant)) < 1e-6
        other = "bilinear_interp" if "interp" in node.operator else "leaky_relu"
        made = right.operator_output(other, {"align_corners": True}, given, meant.shape)
        assert made is not None
        assert made.shape == meant.shape
        assert np.max(np.abs(made - meant)) > 1e-3
    assert right.operator_output("conv2d", {}, part, part.shape) is None


@pytest.mark.parametrize("kind", ["json", "onnx"])
def test_samples_are_every_few_rows_and_columns(kind: str, part: npt.NDArray[np.float32]) -> None:
    graph = exported(kind)
    arrays, samples = graph.run(part, range(len(graph.nodes))), graph.samples(part, 4)
    for array, sample in zip(arrays, samples, strict=True):
        np.testing.assert_array_equal(sample, array[:, :, ::4, ::4] if array.ndim == 4 else array)


@pytest.mark.parametrize("kind", ["json", "pdmodel"])
def test_a_search_leaves_nothing_in_the_process(
    kind: str, right: PirGraph, part: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    """What is seen of a process, and that it does see what others leave, is in test_global_state."""
    candidate = exported(kind)
    searched(right, candidate, part)
    before = snapshot()
    assert searched(Network(changed(weight), "cpu").network_graph(), candidate, part).is_proved
    assert changes(before, snapshot()) == {}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells what a process holds")
@pytest.mark.parametrize("kind", ["json", "pdmodel"])
def test_a_run_keeps_no_arrays(kind: str) -> None:
    graph, tensor = exported(kind), np.zeros((1, 3, 640, 640), np.float32)
    places = range(len(graph.nodes))
    size = sum(array.nbytes for array in graph.run(tensor, places))
    grown = []
    for _ in range(3):  # what is freed may stay with the process for the next run: what is kept grows in each series
        graph.run(tensor, places)
        before = held("VmRSS")
        for _ in range(6):
            graph.run(tensor, places)
        grown.append(held("VmRSS") - before)
    assert size > 80 << 20
    assert min(grown) < 2 * size


def test_an_onnx_file_is_not_read_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ocrparity.backends.onnx.onnx_reading.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="onnx is not installed"):
        OnnxGraph(EXAMPLE / "inference_onnx" / "inference.onnx")


def diagnosis_of(folder: Path, change: Change) -> tuple[Diagnosis, str]:
    (diagnosis,), message = diagnoses_of(folder, change)
    return diagnosis, message


def diagnoses_of(folder: Path, change: Change) -> tuple[Sequence[Diagnosis], str]:
    deployment = Deployment.copy(folder)
    deployment.export(change)
    error = deployment.failure("images/rotated.jpg")
    assert error is not None
    return error.diagnoses, str(error)


def test_a_diagnosis_names_the_layer_and_the_attribute(tmp_path: Path) -> None:
    diagnosis, message = diagnosis_of(tmp_path, epsilon)
    assert diagnosis.cause == "network.graph"
    layer = diagnosis.layer
    assert layer is not None
    amounts = layer.amounts
    assert layer == Layer(
        name="stages.0.1.1",
        operator="batch_norm",
        is_proved=True,
        amounts=amounts,
        attribute="epsilon 0.01 in the export, 1e-05 in training",
        steps=layer.steps,
    )
    around = [(step.layer, step.status) for step in layer.steps]
    assert around[2:5] == [("stages.0.1.0", "same"), ("stages.0.1.1", "begins to differ"), ("stages.0.1.2", "differs")]
    assert amounts["map_difference_after"] < 1e-6 < amounts["map_difference"]
    assert "first at stages.0.1.1 (batch_norm): epsilon 0.01" in message.splitlines()[0]
    assert diagnosis.as_json()["layer"]["name"] == "stages.0.1.1"


def test_an_export_of_one_size_is_searched_at_that_size(tmp_path: Path) -> None:
    """It stops on this page, so that nothing but the search can say what it computes otherwise."""
    deployment = Deployment.copy(tmp_path)
    with isolated():
        network = own_network(deployment, "frozen")
    epsilon(network)
    save(network, tmp_path / "inference", shape=[1, 3, 192, 224])
    error = deployment.failure("images/rotated.jpg")
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert diagnosis.layer is not None
    assert (diagnosis.cause, diagnosis.layer.name, diagnosis.layer.is_proved) == ("unknown", "stages.0.1.1", True)
    assert diagnosis.summary == (
        "inference stopped, and at 224x192 px, which it takes alone, it computes something else; first at stages.0.1.1 "
        "(batch_norm): epsilon 0.01 in the export, 1e-05 in training"
    )


def test_what_only_a_large_page_shows_is_found_on_the_whole_page(tmp_path: Path) -> None:
    """An export that blurs a page of more than 500 rows, so that no part of 256 shows it."""
    deployment = Deployment.copy(tmp_path)
    save(own_network(deployment, "unbranching"), tmp_path / "inference")
    deployment.train.pop("network")
    error = deployment.failure("images/receipt.png")
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert diagnosis.cause == "network.traced_shape"
    told = (
        "inference computes something else at some input sizes, as where a branch or a number that depends on the size"
    )
    assert diagnosis.summary.startswith(f"{told} was frozen when it was traced; first at ")
    assert diagnosis.summary.endswith(
        "; first at the tensor itself: pool2d and multiply and multiply and add behind it in the export, none there in "
        "training"
    )
    assert diagnosis.layer is not None
    assert diagnosis.layer.is_proved
    assert diagnosis.layer.amounts["map_difference_after"] < 1e-6 < diagnosis.layer.amounts["map_difference"]


def test_a_whole_page_that_cannot_be_searched_is_not_called_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment.copy(tmp_path)
    save(own_network(deployment, "unbranching"), tmp_path / "inference")
    deployment.train.pop("network")
    write_settings(deployment)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pytest_ocrparity.diagnose.layers.search_whole_page", lambda *given: None)
    assert main(["layers", "images/receipt.png"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "no layer is named: of a part of 256x256 px both make the same map of it, and the whole page could not be "
        "searched"
    )


def weight_and_epsilon(network: Any) -> None:
    weight(network)
    epsilon(network)


def nearly_and_epsilon(network: Any) -> None:
    """Move every weight by what rounding does as well, so that none is the checkpoint's."""
    epsilon(network)
    draw = np.random.default_rng(0)
    for value in network.parameters():
        value.set_value(np.float32(value.numpy() * (1 + draw.normal(0, 1e-6, value.shape))))


def test_an_attribute_that_explains_the_whole_map_is_the_graphs_whatever_the_weights(tmp_path: Path) -> None:
    """On another image it is found by the same experiment."""
    deployment = Deployment.copy(tmp_path)
    deployment.export(nearly_and_epsilon)
    train, inference = deployment.models()
    diagnoser = DiagnosisCache(60.0)
    found = [
        diagnoser.diagnose(Comparisons(train.trace(image), inference.trace(image), BUILT_IN))
        for image in (EXAMPLE / "images" / name for name in ("rotated.jpg", "receipt.png"))
    ]
    assert [[each.cause for each in causes] for causes in found] == [["network.graph"]] * 2
    (first,), (second,) = found
    assert first.summary == (
        "the exported graph of inference computes something else; first at stages.0.1.1 (batch_norm): epsilon 0.01 in "
        "the export, 1e-05 in training"
    )
    assert first.evidence[-1].startswith(
        "train's network with the export's attribute there returns inference's map of the whole page, too (largest "
    )
    assert first.fix is not None
    assert first.fix.changes[0].where == "export"
    assert first.not_tried == first.tried == ()
    assert "rotated.jpg; here as well the stage differs unless it is put right" in second.evidence[0]


def test_a_weight_and_an_attribute_are_two_causes(tmp_path: Path) -> None:
    """The layer is searched with the export's weights in the trained network."""
    (weights, graph), message = diagnoses_of(tmp_path, weight_and_epsilon)
    assert (weights.cause, graph.cause) == ("network.weights", "network.graph")
    total = 50 if HAS_STALE_PROGRAMS else 62
    told = f"{total - 1} of {total} stored arrays are the checkpoint's exactly; not: stages.1.0.0.weight"
    assert weights.evidence[0] == told
    assert weights.evidence[1].startswith("these weights alone move train's map by up to ")
    assert graph.summary == (
        "the exported graph of inference computes something else; first at stages.0.1.1 (batch_norm): epsilon 0.01 in "
        "the export, 1e-05 in training"
    )
    assert graph.evidence[-1].startswith(
        "train's network with the export's attribute there returns inference's map of the whole page"
    )
    assert "no experiment explained it" not in message
    assert "diagnosis_seconds" not in message


def test_weights_that_move_no_map_are_no_second_cause(tmp_path: Path) -> None:
    """Near miss: all weights differ, by what rounding leaves."""

    def change(network: Any) -> None:
        epsilon(network)
        for parameter in network.parameters():
            parameter.set_value(parameter.numpy() * np.float32(1 + 2e-6))

    diagnosis, _ = diagnosis_of(tmp_path, change)
    assert (diagnosis.cause, diagnosis.layer and diagnosis.layer.name) == ("network.graph", "stages.0.1.1")


def test_an_attribute_and_a_weight_of_one_layer_are_two_causes(tmp_path: Path) -> None:
    def change(network: Any) -> None:
        epsilon(network)
        layer = network.stages[0][1][1]
        layer.weight.set_value(layer.weight.numpy() * np.float32(1.3))

    (weights, graph), _ = diagnoses_of(tmp_path, change)
    assert (weights.cause, graph.cause) == ("network.weights", "network.graph")
    assert graph.layer is not None
    assert (graph.layer.name, graph.layer.attribute) == (
        "stages.0.1.1",
        "epsilon 0.01 in the export, 1e-05 in training",
    )


def test_two_attributes_are_set_in_one_network(tmp_path: Path) -> None:
    def change(network: Any) -> None:
        epsilon(network)
        activation(network)

    diagnosis, _ = diagnosis_of(tmp_path, change)
    assert diagnosis.cause == "network.graph"
    assert diagnosis.summary.endswith(
        "; first at stages.0.1.1 (batch_norm): epsilon 0.01 in the export, 1e-05 in training; then at stages.2.0.2 "
        "(relu): leaky_relu in the export, relu in training"
    )


def test_a_wrong_weight_is_told_from_rounded_ones(tmp_path: Path) -> None:
    def change(network: Any) -> None:
        for parameter in network.parameters():
            parameter.set_value(parameter.numpy().astype(np.float16).astype(np.float32))
        weight(network)

    diagnosis, _ = diagnosis_of(tmp_path, change)
    assert diagnosis.cause == "network.weights"
    assert diagnosis.summary.endswith("; beside those that are rounded, first at stages.1.0.0 (conv2d)")
    assert diagnosis.evidence[1].partition("; not: ")[2].startswith("stages.1.0.0.weight, ")
    assert "are the checkpoint's, rounded to half precision (fp16); the others are not" in diagnosis.evidence[2]


class Larger(Port):
    """Makes another map of a whole page, and the export's own of a part of it."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        return made if tensor.shape[3] <= 256 else made - np.float32(0.1) * made * (np.arange(made.shape[3]) % 7 == 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_an_attribute_that_explains_the_map_of_a_part_of_the_page_alone_is_no_cause(tmp_path: Path) -> None:
    deployment = Deployment.copy(tmp_path)
    deployment.export(nearly_and_epsilon)
    deployment.wrap = Larger
    error = deployment.failure("images/rotated.jpg")
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert diagnosis.layer is not None
    assert diagnosis.layer.attribute == "epsilon 0.01 in the export, 1e-05 in training"
    assert (diagnosis.cause, diagnosis.fix) == ("unknown", None)
    assert "returns port's map of a part of the page: epsilon 0.01" in diagnosis.evidence[-1]
    assert diagnosis.noticed[-1].startswith(
        "train's network with the export's attribute there returns another map of the whole page than port (largest "
    )


def test_an_attribute_with_which_the_network_stops_was_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        raise ValueError("no such epsilon")

    monkeypatch.setattr("pytest_ocrparity.diagnose.layers.proved_attribute._with_layers", lambda *given: stops)
    diagnosis, _ = diagnosis_of(tmp_path, epsilon)
    assert diagnosis.layer is not None and diagnosis.layer.attribute == ""
    assert diagnosis.noticed[-1].endswith("; that was not tried in train's network")
    assert diagnosis.not_tried == ("train's network with attributes of the export: ValueError: no such epsilon",)


def test_a_layer_that_is_not_proved_stays_out_of_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unproved(*given: Any) -> Search:
        return replace(search_layers(*given), is_proved=False, why="it is not known")

    monkeypatch.setattr("pytest_ocrparity.diagnose.layers.search_layers", unproved)
    diagnosis, message = diagnosis_of(tmp_path, epsilon)
    assert diagnosis.layer is not None
    assert not diagnosis.layer.is_proved
    assert "stages.0.1.1" not in message.splitlines()[0]
    hint = "not proved, as it is not known: the first layer that differs is stages.0.1.1"
    assert re.search(rf"\n  noticed +{hint}", message)
    assert not any(each.startswith("not proved") for each in diagnosis.evidence)


def test_the_command_prints_each_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment.copy(tmp_path)
    write_settings(deployment)
    monkeypatch.chdir(tmp_path)
    assert main(["layers", "images/rotated.jpg"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["stem.0", "conv2d", "0.0e+00", "same"]
    assert lines[2].split()[:4] == ["stem.1", "batch_norm", "0.0e+00", "same"]
    assert lines[-1] == "no layer differs: the maps lie 0.0e+00 apart"
    deployment.export(rescaled)
    assert main(["layers", "images/rotated.jpg"]) == 0
    told = "the maps lie 0.0e+00 apart: what differs on the way, from lateral.0 (conv2d) to (the network itself)"
    assert capsys.readouterr().out.splitlines()[-1] == f"{told} (concat), cancels out"
    deployment.export(weight)
    assert main(["layers", "images/rotated.jpg"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if "begins to differ" in line)
    assert row.startswith("stages.1.0.0")
    assert "inference's operator for stages.1.0.0 (conv2d) is off by" in lines[-1]


def test_the_command_refuses_what_has_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment.copy(tmp_path)
    write_settings(deployment)
    monkeypatch.chdir(tmp_path)
    assert main(["layers", "images/rotated.jpg", "--candidate", "other"]) == 2
    assert "sets no candidate 'other'; it sets inference" in capsys.readouterr().err
    assert main(["layers", "images/rotated.jpg", "--recognition"]) == 2
    assert "has no table recognition" in capsys.readouterr().err


def test_the_command_reads_every_side_that_the_settings_describe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment.copy(tmp_path)
    write_settings(deployment)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "pyproject.toml").open("a") as file:
        limits = '{ det_limit_side_len = 736, det_limit_type = "min" }'
        file.write('[tool.ocrparity.candidates.script]\napi = "predict_det"\n')
        file.write(f'model_dir = "{EXAMPLE / "inference_pdmodel"}"\noptions = {limits}\n')
        file.write('[tool.ocrparity.candidates.files]\napi = "results"\nresults = "out/{stem}.json"\n')
    assert main(["layers", "images/rotated.jpg", "--candidate", "script"]) == 0
    assert "no layer differs" in capsys.readouterr().out
    assert main(["layers", "images/rotated.jpg", "--candidate", "files"]) == 2
    assert "out/rotated.json: no such file" in capsys.readouterr().err
