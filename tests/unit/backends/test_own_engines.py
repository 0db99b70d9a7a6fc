"""An engine with another side's processing, and a port of three functions: what they give, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import Varied, cause_of, seen
from toy import BLANK, PAGE, Toy
from toy_reader import Reader

from pytest_ocrparity import (
    Decoded,
    Detections,
    DifferenceError,
    FunctionPipeline,
    MapEngine,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline
from pytest_ocrparity.backends.results.pipeline import ResultsPipeline
from pytest_ocrparity.contract import (
    Declares,
    HasIdentity,
    HasOtherOutputs,
    HasTrainedNetwork,
    RunsOtherwise,
    StoresWeights,
    TakesParameters,
    WordsFixes,
    contract_members,
    offered,
)

Array = npt.NDArray[Any]
TOY = Toy()
ALL = (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections)


def bare_map(tensor: Array) -> Array:
    return Toy().infer(tensor)


def scaled_map(tensor: Array) -> Array:
    return bare_map(tensor) * np.float32(0.9)


def split(image: Any) -> dict[str, Any]:
    """Return the toy's stages as a port returns them."""
    made = TOY.preprocess(image)
    assert made.decode is not None
    return {"decode": made.decode.pixels, "resize": made.resize, "tensor": made.tensor, "shape": made.shape}


def boxes(probability_map: Array, shape: Any) -> tuple[list[Array], Array | None]:
    found = TOY.postprocess(probability_map, shape)
    return list(found.polygons), found.scores


def port(**functions: Any) -> FunctionPipeline:
    return FunctionPipeline(**{"preprocess": split, "infer": bare_map, "postprocess": boxes, **functions})


def error_of(trace: Trace) -> str:
    assert trace.error is not None
    return f"{trace.error.stage}: {trace.error}"


# MapEngine


@pytest.mark.parametrize("compare", ALL)
def test_an_engine_that_returns_the_map_passes(compare: Callable[[Trace, Trace], object]) -> None:
    compare(TOY.trace(PAGE), MapEngine(bare_map, like=Toy(name="deployed")).trace(PAGE))


def test_an_engine_that_scales_its_map_fails_at_the_map_and_passes_before() -> None:
    reference, trace = TOY.trace(PAGE), MapEngine(scaled_map, like=Toy(name="deployed"), name="mine").trace(PAGE)
    assert_same_preprocessing(reference, trace)
    with pytest.raises(DifferenceError, match="mine") as caught:
        assert_same_probability_maps(reference, trace)
    assert caught.value.diagnoses[0].stage == "probability_map"


def test_the_other_sides_processing_is_what_is_compared_and_varied() -> None:
    engine = MapEngine(bare_map, like=Varied(name="deployed", mean=0.4))
    with pytest.raises(DifferenceError):
        assert_same_preprocessing(TOY.trace(PAGE), engine.trace(PAGE))
    diagnosis = cause_of(seen(Toy()), seen(engine))  # type: ignore[arg-type]
    assert diagnosis.cause == "normalize.mean_std"


def test_it_offers_what_the_other_side_says_of_its_processing_and_nothing_of_its_network() -> None:
    class Whole(Varied):
        table = "candidates.x"
        written: ClassVar[Any] = {}
        identity: ClassVar[Any] = {"files": {"a": "b"}}

        def parameter_fix(self, stage: str, values: Any) -> Any: ...

        def rectified(self, image: Any) -> Any:
            return image[::-1]

        later_steps = "something"

        def stored_weights(self) -> Any: ...

        def other_engines(self) -> Any: ...

        def other_outputs(self, tensor: Any) -> Any: ...

    engine, plain = MapEngine(bare_map, like=Whole()), MapEngine(bare_map, like=Toy(name="deployed"))
    kept, dropped = (
        (TakesParameters, Declares, WordsFixes),
        (HasIdentity, StoresWeights, RunsOtherwise, HasOtherOutputs),
    )
    assert all(offered(engine, offer) for offer in kept)
    assert not any(offered(engine, offer) for offer in dropped)
    assert not any(offered(plain, offer) for offer in (*kept, *dropped))
    assert engine.table == "candidates.x"
    np.testing.assert_array_equal(engine.rectified(PAGE), PAGE[::-1])
    assert not hasattr(engine, "later_steps")
    assert engine.parameters["probability_map"] == {"engine": f"{__name__}.bare_map"}


def test_the_trained_models_own_processing_is_refused() -> None:
    class Trained(Toy):
        network = None

    assert contract_members(HasTrainedNetwork) == ["network"]
    with pytest.raises(ValueError, match="like is train, the trained model, so its processing would be compared with"):
        MapEngine(bare_map, like=Trained())
    side = Toy(name="deployed")
    with pytest.raises(ValueError, match="infer is deployed's own, so this is deployed again"):
        MapEngine(side.infer, like=side)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda tensor: [bare_map(tensor)],
            "returned a list of 1: a map is one array (1, C, h, w); return its element",
        ),
        (lambda tensor: None, "returned a NoneType: a map is one array"),
        (lambda tensor: bare_map(tensor)[0, 0], "returned an array of shape (64, 96), float32: a map is one array"),
        (lambda tensor: bare_map(tensor)[0], "of shape (1, 64, 96), float32"),
        (lambda tensor: bare_map(tensor).astype(np.float64), "float64: a map is float32 (or float16, "),
        (lambda tensor: (bare_map(tensor) * 255).astype(np.uint8), "uint8: a map is float32"),
        (lambda tensor: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
    ids=["list", "none", "no-axes", "no-batch", "float64", "uint8", "raises"],
)
@pytest.mark.parametrize("kind", ["engine", "port"])
def test_a_map_that_is_none_is_refused_and_named(made: Any, said: str, kind: str) -> None:
    side: Any = MapEngine(made, like=Toy(name="deployed")) if kind == "engine" else port(infer=made)
    text = error_of(side.trace(PAGE))
    assert text.startswith(f"probability_map: infer ({__name__}.<lambda>) ")
    assert said in text


def test_a_map_in_half_precision_is_widened_without_loss() -> None:
    half = port(infer=lambda tensor: bare_map(tensor).astype(np.float16)).trace(PAGE)
    assert half.error is None
    assert half.probability_map is not None and half.probability_map.dtype == np.float32
    np.testing.assert_array_equal(half.probability_map, bare_map(np.asarray(half.tensor)).astype(np.float16))


@pytest.mark.parametrize(
    ("like", "said"),
    [
        (None, "like is None, which runs no preprocess and postprocess: give a loaded side"),
        ("deployed", "like is 'deployed', which runs"),
        (ResultsPipeline(Path("out/{stem}.json"), Path(), name="server"), "like is server, a ResultsPipeline, which"),
        (Reader(name="inference"), "like is inference, a Reader, a recogniser, and MapEngine makes detectors: write a"),
    ],
    ids=["none", "text", "results", "recogniser"],
)
def test_an_engine_needs_a_side_that_runs(like: Any, said: str) -> None:
    with pytest.raises(TypeError, match=r"^MapEngine: ") as refused:
        MapEngine(bare_map, like=like)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["train", "baseline"])
def test_an_engine_has_no_name_of_a_reference(name: str) -> None:
    with pytest.raises(ValueError, match=f"name is '{name}', and messages call the reference so"):
        MapEngine(bare_map, like=Toy(name="deployed"), name=name)
    assert MapEngine(bare_map, like=Toy(name="deployed"), name=f"{name}ed").name == f"{name}ed"


# FunctionPipeline


@pytest.mark.parametrize("compare", ALL)
@pytest.mark.parametrize("page", [PAGE, BLANK], ids=["words", "blank"])
def test_a_right_port_passes(compare: Callable[[Trace, Trace], object], page: Any) -> None:
    trace = port().trace(page)
    assert trace.stages == TOY.trace(page).stages
    compare(TOY.trace(page), trace)


@pytest.mark.parametrize(
    ("functions", "fails"),
    [
        ({"preprocess": lambda image: {**split(image), "tensor": split(image)["tensor"] * np.float32(1.1)}}, ALL[0]),
        ({"infer": scaled_map}, ALL[1]),
        ({"postprocess": lambda made, shape: ([each + 3 for each in boxes(made, shape)[0]], None)}, ALL[2]),
    ],
    ids=["tensor", "map", "boxes"],
)
def test_a_port_that_is_wrong_in_one_function_fails_there(functions: Any, fails: Any) -> None:
    reference, trace = TOY.trace(PAGE), port(**functions).trace(PAGE)
    for compare in ALL[: ALL.index(fails)]:
        compare(reference, trace)
    with pytest.raises(DifferenceError):
        fails(reference, trace)


def test_the_least_port_gives_tensor_and_shape() -> None:
    trace = port(preprocess=lambda image: {key: split(image)[key] for key in ("tensor", "shape")}).trace(PAGE)
    assert trace.error is None and trace.stages == ("tensor", "probability_map", "detections")
    assert_same_detections(TOY.trace(PAGE), trace)


def changed(name: str, value: Any) -> Callable[[Any], dict[str, Any]]:
    return lambda image: {**split(image), name: value(split(image)[name]) if callable(value) else value}


def with_nan(tensor: Array) -> Array:
    spoiled = tensor.copy()
    spoiled.flat[:7] = np.nan
    return spoiled


@pytest.mark.parametrize(
    ("preprocess", "said"),
    [
        (lambda image: split(image)["tensor"], "decode: preprocess ({}) returned an array of shape (1, 3, 64, 96)"),
        (
            lambda image: {"tensor": split(image)["tensor"]},
            'resize: preprocess ({}) returned a dict without "shape": it is (source height',
        ),
        (
            lambda image: {"shape": split(image)["shape"]},
            'tensor: preprocess ({}) returned a dict without "tensor": it is what the network gets',
        ),
        (changed("tensor", None), 'tensor: preprocess ({}) returned None for "tensor": it is what the network gets'),
        (
            changed("tensor", with_nan),
            'tensor: preprocess ({}) returned "tensor" with NaN or infinity in 7 of 18432 values: the network',
        ),
        (lambda image: {**split(image), "tensr": 1}, "returned the key 'tensr': did you mean 'tensor'?"),
        (
            changed("tensor", lambda each: each.astype(np.float64)),
            'tensor: preprocess ({}) returned "tensor", an array',
        ),
        (
            changed("tensor", lambda each: each[0]),
            "of shape (3, 64, 96), float32: the network's input is an array (1, 3",
        ),
        (changed("shape", (64, 96)), 'resize: preprocess ({}) returned "shape" = (64, 96): it is (source height'),
        (changed("shape", (64, 96, 0, 1)), "four numbers above 0"),
        (changed("decode", lambda each: each[..., 0]), 'returned "decode", an array of shape (64, 96), uint8'),
        (
            changed("resize", lambda each: each / 255),
            'resize: preprocess ({}) returned "resize", an array of shape (64',
        ),
        (lambda image: split("none.npy"), "decode: preprocess ({}) raised FileNotFoundError"),
    ],
    ids=[
        "bare",
        "no-shape",
        "no-tensor",
        "none",
        "nan",
        "key",
        "float64",
        "3d",
        "short",
        "zero",
        "grey",
        "float-resize",
        "raises",
    ],
)
def test_a_preprocess_that_returns_something_else_is_refused_and_named(preprocess: Any, said: str) -> None:
    label = f"{preprocess.__module__}.{preprocess.__qualname__}"
    assert said.replace("{}", label) in error_of(port(preprocess=preprocess).trace(PAGE))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda polygons, scores: polygons, "returned a list of 3: it is a tuple (polygons, scores)"),
        (
            lambda polygons, scores: (polygons, scores[:1]),
            "for scores an array of shape (1,), float64: there are 3 pol",
        ),
        (lambda polygons, scores: ([each.ravel() for each in polygons], None), "for polygon 0 an array of shape (8,)"),
        (lambda polygons, scores: ([each[:2] for each in polygons], None), "with three points or more"),
        (
            lambda polygons, scores: ([each.astype(str) for each in polygons], None),
            "for polygon 0 an array of shape (4",
        ),
        (lambda polygons, scores: (None, None), "returned for polygons a NoneType"),
    ],
    ids=["no-tuple", "few-scores", "flat", "two-points", "text", "none"],
)
def test_boxes_that_are_none_are_refused_and_named(made: Any, said: str) -> None:
    text = error_of(port(postprocess=lambda values, shape: made(*boxes(values, shape))).trace(PAGE))
    assert text.startswith(f"detections: postprocess ({__name__}.") and said in text


def test_what_a_port_may_return_besides() -> None:
    whole = Detections(tuple(boxes(np.asarray(TOY.trace(PAGE).probability_map), TOY.trace(PAGE).shape)[0]))
    assert port(postprocess=lambda values, shape: whole).trace(PAGE).detections == whole
    stacked = port(postprocess=lambda values, shape: (np.array(boxes(values, shape)[0], np.int16), None)).trace(PAGE)
    assert stacked.detections is not None and len(stacked.detections) == 3
    none = port(postprocess=lambda values, shape: (np.zeros((0, 4, 2)), [])).trace(PAGE)
    assert none.error is None and none.detections is not None and len(none.detections) == 0
    rgb = Decoded.of(PAGE[..., ::-1], "RGB")
    assert port(preprocess=changed("decode", rgb)).trace(PAGE).decode == rgb


def test_functions_get_copies_that_they_may_change() -> None:
    def in_place(values: Array) -> Array:
        made = bare_map(values)
        values[:] = 0
        return made

    def cut(values: Array, shape: Any) -> Any:
        found = boxes(values, shape)
        values[:] = 0
        return found

    trace = port(infer=in_place, postprocess=cut).trace(PAGE)
    for compare in ALL:
        compare(TOY.trace(PAGE), trace)


def test_what_is_no_function_is_refused_and_a_partial_is_named_by_its_class() -> None:
    with pytest.raises(TypeError, match="infer is 'net', not a function"):
        port(infer="net")
    text = error_of(port(infer=partial(np.sum, axis=0)).trace(PAGE))
    assert text.startswith("probability_map: infer (functools.partial) returned an array of shape (3, 64, 96)")


def test_a_port_offers_no_more_than_it_has() -> None:
    side = port()
    offers = (HasIdentity, TakesParameters, Declares, WordsFixes, StoresWeights, RunsOtherwise, HasOtherOutputs)
    assert not any(offered(side, offer) for offer in offers)
    assert side.parameters == {}
    stated = {"detections": {"thresh": 0.3}}
    assert port(parameters=stated).trace(PAGE).parameters == stated
    assert offered(InferencePipeline, HasIdentity) is not None  # as these are found where they are


def test_of_a_postprocess_that_raises_it_is_not_said_that_it_cannot_be_run() -> None:
    with pytest.raises(DifferenceError) as found:
        assert_same_detections(TOY.trace(PAGE), port(postprocess=lambda made, shape: 1 / 0).trace(PAGE))
    text = str(found.value)
    assert "inference stopped at detections: postprocess (" in text
    assert "train's map through the post-process of inference, which stops on it too (StageError: postprocess (" in text
    assert "can't be run by itself" not in text


def test_a_tensor_with_nan_passes_no_assertion() -> None:
    """Its boxes may be the same."""
    for compare in ALL:
        with pytest.raises(DifferenceError, match=r'stopped at tensor: preprocess .* returned "tensor" with NaN or'):
            compare(TOY.trace(PAGE), port(preprocess=changed("tensor", with_nan)).trace(PAGE))
