"""What a diagnosis says of networks, weights, parameters and sizes, on a detector of numpy with one thing wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit
from toy import PAGE, Toy, page

from pytest_ocrparity.backends.ppocr.alignment import align
from pytest_ocrparity.compare import Comparisons, compare
from pytest_ocrparity.comparison import Comparison, Difference, Measure
from pytest_ocrparity.contract import HasSettingsTable, offered
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.input_size import by_graph
from pytest_ocrparity.diagnosis import Alternative, Diagnosis
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.files import image_bytes
from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace

Array: TypeAlias = "npt.NDArray[Any]"

OTHER_PAGE = page(96, 128, ((10, 10, 60, 30), (12, 50, 110, 70)))
"""Of another size than PAGE, so that a side can do something else on it."""
PAGES = tuple(page(boxes=((8, 8 + y, 60, 20 + y),)) for y in (0, 10, 20, 30))
SHADED = PAGE + np.arange(24, dtype=np.uint8).repeat(4)[None, :, None]


def is_confirmed(diagnosis: Diagnosis) -> bool:
    """Return whether a diagnosis was found on another image and proved again on its own."""
    return diagnosis.evidence[:1] != () and diagnosis.evidence[0].startswith("found on page 0; here as well")


def digest(pixels: Array) -> str:
    return hashlib.sha256(image_bytes(pixels)[1]).hexdigest()


def on(side: Toy, pixels: Array = PAGE, name: str = "page 0") -> Trace:
    """Return a trace of an array, with the digest by which a diagnosis knows it again."""
    return replace(side.trace(pixels), image=name, image_sha256=digest(pixels))


def cause_of(reference: Trace, candidate: Trace, **keywords: Any) -> Diagnosis:
    (found,) = diagnose(reference=reference, candidate=candidate, **keywords)
    return found


def remembered(cache: DiagnosisCache, reference: Trace, candidate: Trace) -> tuple[Diagnosis, ...]:
    return cache.diagnose(Comparisons(reference, candidate, BUILT_IN))


def causes(found: tuple[Diagnosis, ...]) -> list[str]:
    return [each.cause for each in found]


def stopped(trace: Trace) -> Trace:
    error = StageError(PROBABILITY_MAP, "the engine stopped")
    return replace(trace, probability_map=None, detections=None, error=error)


class Varies(Toy):
    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Varies:
        values = {name: value for stage in changes.values() for name, value in stage.items()}
        values = {name: value[0] if isinstance(value, list) else value for name, value in values.items()}
        return replace(self, **values)


class Refuses(Toy):
    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        raise ValueError("these are compiled in")


class OnlyTraces(Toy):
    """What it made is handed over with the trace of another toy."""

    def preprocess(self, image: Image) -> Trace:
        raise NotImplementedError

    def infer(self, tensor: Array) -> Array:
        raise NotImplementedError

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        raise NotImplementedError


class Squares(Toy):
    """Returns another map, for a reason that no experiment knows."""

    def infer(self, tensor: Array) -> Array:
        return np.asarray(super().infer(tensor) ** 2)


def test_the_maps_agree_where_the_candidates_own_map_is_the_references() -> None:
    reference, same, other = on(Toy()), on(Toy(name="port")), on(Squares(name="port"))
    candidates = same, other, replace(same, probability_map=None)
    labs = [Laboratory(Comparisons(reference, candidate, BUILT_IN), 60) for candidate in candidates]
    assert [lab.maps_agree for lab in labs] == [True, False, False]


def test_boxes_are_judged_by_themselves_where_the_reference_has_no_map() -> None:
    reference, candidate = (replace(on(side), probability_map=None, source=None) for side in (Toy(), Toy(name="port")))
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    assert candidate.detections is not None
    moved = Detections(tuple(polygon + 9 for polygon in candidate.detections.polygons), candidate.detections.scores)
    assert [lab.is_same_boxes(boxes) for boxes in (candidate.detections, moved, None)] == [True, False, False]


def test_no_comparison_of_maps_stands_for_one_under_another_limit() -> None:
    blank = np.zeros_like(PAGE)
    reference, candidate = Toy().trace(blank), Toy(name="port", offset=2e-3).trace(blank)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    stored = [replace(candidate, map_error=error) for error in (0.0, 0.5)]
    assert [lab.compare_with_reference("detections", each).status for each in stored] == ["different", "empty"]


def test_what_raises_when_it_is_read_is_offered_all_the_same() -> None:
    class Raises:
        @property
        def table(self) -> str:
            return str(self.no_such_name)  # type: ignore[attr-defined]

    class Passes:
        def __getattr__(self, name: str) -> str:
            if name != "table":
                raise AttributeError(name)
            return "inference"

    assert [offered(each, HasSettingsTable) is not None for each in (Raises(), Passes(), object(), None)] == [
        *(True, True, False, False)
    ]


class TestTheImage:
    @pytest.mark.parametrize("order", ["BGR", "RGB"])
    def test_is_the_array_with_the_digest_of_the_traces(self, order: str) -> None:
        lab = Laboratory(Comparisons(on(Toy(img_mode=order)), on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    def test_is_looked_for_in_the_other_trace_where_one_holds_other_than_8_bits(self) -> None:
        reference = replace(on(Toy()), decode=Decoded.of(PAGE.astype(np.uint16) * 257, "BGR"))
        lab = Laboratory(Comparisons(reference, on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    @pytest.mark.parametrize("sha256", [None, digest(OTHER_PAGE)])
    def test_is_not_guessed_where_no_digest_proves_it(self, sha256: str | None) -> None:
        traces = [replace(on(side), image_sha256=sha256) for side in (Toy(), Toy(name="port", mean=0.4))]
        found, *_ = diagnose(reference=traces[0], candidate=traces[1])
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        told = "page 0 is no file, or no longer the one that the traces are of"
        assert found.not_tried[0] == f"experiments that run the preprocessing of port: {told}"

    def test_is_not_a_file_that_was_written_again(self, tmp_path: Path) -> None:
        path = tmp_path / "page.npy"
        np.save(path, PAGE)
        reference, candidate = (
            replace(side.trace(str(path)), image_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for side in (Toy(), Varies(name="port", mean=0.4))
        )
        assert cause_of(reference, candidate).cause == "normalize.mean_std"
        np.save(path, OTHER_PAGE)
        found, *_ = diagnose(reference=reference, candidate=candidate)
        assert "or no longer the one that the traces are of" in found.not_tried[0]
        assert found.cause == "unknown"


class TestWhatCannotBeRun:
    def test_a_spent_budget_is_told_with_what_was_used(self) -> None:
        found = cause_of(on(Toy()), on(Toy(name="port", gain=3.0)), seconds=0.0)
        assert (found.cause, found.summary) == ("unknown", "budget spent")
        told = "the rest: used 0 of 20 network runs and 0 of 0 s of processor time (setting: diagnosis_seconds = 0)"
        assert found.not_tried == (told,)

    def test_no_more_networks_run_than_the_budget_has(self) -> None:
        class Many(Squares):
            def other_engines(self) -> Iterator[Alternative]:
                yield from (Alternative("engine.onednn", f"engine {index}", self.infer) for index in range(30))

        found = cause_of(on(Toy()), on(Many(name="port")))
        assert (found.stage, found.summary) == (PROBABILITY_MAP, "budget spent")
        assert found.not_tried[-1].startswith("the rest: used 20 of 20 network runs")

    def test_a_preprocessing_that_only_traces_is_named(self) -> None:
        candidate = replace(on(Toy(name="port", mean=0.4)), source=OnlyTraces(name="port"))
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        told = "experiments that run the preprocessing of port: it can't be run again on this image"
        assert found.not_tried == (told, "port with other mean: this pipeline has no varied()")

    def test_boxes_alone_are_judged_as_they_were_recorded(self) -> None:
        made = on(Toy()).detections
        assert made is not None and made.scores is not None
        fewer = Detections(made.polygons[1:], made.scores[1:])
        candidate = Trace(pipeline="port", image="page 0", image_sha256=digest(PAGE), detections=fewer)
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("unknown", DETECTIONS)
        told = "train's map through the post-process of port, which can't be run by itself"
        assert found.not_tried[0] == told

    def test_what_a_side_fails_to_offer_is_noted(self) -> None:
        class Port(Toy):
            def infer(self, tensor: Array) -> Array:
                raise RuntimeError("the engine stopped")

            def input_size(self) -> tuple[int, int]:
                raise OSError("no program")

        candidate = replace(stopped(on(Toy(name="port"))), source=Port(name="port"))
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("unknown", PROBABILITY_MAP)
        assert "input_size of port: OSError: no program" in found.not_tried
        assert "weights and other networks: port returned no map to compare with" in found.not_tried

    def test_other_engines_that_raise_are_noted(self) -> None:
        class Port(Squares):
            def other_engines(self) -> Iterator[Alternative]:
                yield Alternative("engine.onednn", "oneDNN off", self.infer)
                raise OSError("no such engine")

        found = cause_of(on(Toy()), on(Port(name="port")))
        assert "engine.onednn: with oneDNN off the map is what it was without, bit for bit" in found.ruled_out
        assert "some networks: OSError: no such engine" in found.not_tried


class TestMaps:
    def test_a_map_of_another_shape_is_called_not_comparable(self) -> None:
        class Port(Toy):
            def infer(self, tensor: Array) -> Array:
                return super().infer(tensor)[:, :, ::2, ::2]

            def other_engines(self) -> Iterator[Alternative]:
                yield Alternative("engine.onednn", "oneDNN off", Toy().infer)

        found, *_ = diagnose(reference=on(Toy()), candidate=on(Port(name="port")))
        assert (found.cause, found.stage) == ("engine.onednn", PROBABILITY_MAP)
        assert found.evidence[0].endswith("before, its map differed (not comparable)")


class WithoutResize(Toy):
    """Records no resized image, as a fused preprocessing has none."""

    def preprocess(self, image: Image) -> Trace:
        return replace(super().preprocess(image), resize=None)


class TestResizedImagesThatWereNotRecorded:
    def test_axes_in_another_order_are_a_matter_of_the_tensor(self) -> None:
        class Port(WithoutResize):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor.transpose(0, 2, 3, 1))

            def infer(self, tensor: Array) -> Array:
                return super().infer(tensor.transpose(0, 3, 1, 2) if tensor.shape[-1] == 3 else tensor)

        found = cause_of(on(Toy()), on(Port(name="port")))
        assert (found.cause, found.stage) == ("layout.axes", TENSOR)

    def test_a_tensor_of_another_size_is_a_matter_of_the_resize(self) -> None:
        class Port(WithoutResize):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor[:, :, :32])

        found, *_ = diagnose(reference=on(Toy()), candidate=on(Port(name="port")))
        assert (found.cause, found.stage) == ("unknown", RESIZE)


class TestParameters:
    def test_one_that_can_be_varied_is_proved(self) -> None:
        found = cause_of(on(Toy()), on(Varies(name="port", box_thresh=1.01)))
        assert (found.cause, found.stage) == ("postprocess.box_thresh", DETECTIONS)

    @pytest.mark.parametrize(
        ("side", "told"),
        [
            (Toy(name="port", mean=0.4), "port with other mean: this pipeline has no varied()"),
            (Refuses(name="port", mean=0.4), "port with train's parameters: ValueError: these are compiled in"),
        ],
    )
    def test_a_candidate_that_takes_none_is_told_where_nothing_else_is_found(self, side: Toy, told: str) -> None:
        # PAGE has too few grey levels to work the numbers out from the tensors.
        found, *_ = diagnose(reference=on(Toy()), candidate=on(side))
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        assert told in found.not_tried

    def test_a_refusal_does_not_hide_a_cause_that_other_experiments_find(self) -> None:
        found = cause_of(on(Toy(), SHADED), on(Refuses(name="port", mean=0.4), SHADED))
        assert (found.cause, found.not_tried) == ("normalize.mean_std", ())

    @pytest.mark.parametrize(("is_told", "cause"), [(True, "normalize.mean_std"), (False, "unknown")])
    def test_of_a_side_that_stopped_are_those_that_it_always_runs_with(self, is_told: bool, cause: str) -> None:
        class Port(Varies):
            def preprocess(self, image: Image) -> Trace:
                if self.mean == 0.5:
                    return super().preprocess(image)
                error = StageError(TENSOR, "no such mean")
                return replace(Toy.preprocess(Varies(), image), tensor=None, parameters={}, error=error)

            @property
            def parameters(self) -> Mapping[str, Mapping[str, Any]]:
                if self.mean != 0.5 and not is_told:
                    raise RuntimeError("nothing ran")
                return super().parameters

        port = Port(name="port", mean=0.4)
        candidate = replace(
            port.preprocess(PAGE), pipeline="port", image="page 0", image_sha256=digest(PAGE), source=port
        )
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert (found.cause, found.stage) == (cause, TENSOR)


class TestRepeatability:
    @pytest.mark.parametrize(
        ("without", "cause", "told"),
        [
            (Toy(), "reference.not_repeatable", "train stopped at RandomCrop, a random operator"),
            (None, "unknown", "train stopped, so there is nothing to compare with"),
        ],
    )
    def test_a_reference_that_stopped_is_blamed_on_chance_where_it_runs_without(
        self, without: Toy | None, cause: str, told: str
    ) -> None:
        class StopsAlways(Toy):
            def preprocess(self, image: Image) -> Trace:
                return replace(super().preprocess(image), tensor=None, error=StageError(TENSOR, "out of range"))

        class Random(Toy):
            def random_operators(self) -> tuple[str, ...]:
                return ("RandomCrop",)

            def without_random(self) -> Toy:
                return without or StopsAlways()

        error = StageError(TENSOR, "out of range")
        reference = replace(on(Random()), tensor=None, probability_map=None, detections=None, error=error)
        found = cause_of(reference, on(Toy(name="port")))
        assert (found.cause, found.stage) == (cause, TENSOR)
        assert found.summary.startswith(told)

    def test_a_trace_that_its_own_side_does_not_return_is_noticed(self) -> None:
        candidate = on(Toy(name="port"))
        assert candidate.tensor is not None
        candidate = replace(candidate, tensor=candidate.tensor * np.float32(0.9))
        found, *_ = diagnose(reference=on(Toy()), candidate=candidate)
        assert found.cause == "unknown"
        assert "port's trace holds another tensor than its preprocess() returns" in found.evidence

    @pytest.mark.parametrize(
        ("operators", "fix"),
        [((), "find what is random in the preprocessing of port"), (("RandomCrop",), "take RandomCrop out of")],
    )
    def test_another_size_each_time_is_a_matter_of_the_resize(self, operators: tuple[str, ...], fix: str) -> None:
        class Crops(Toy):
            def random_operators(self) -> tuple[str, ...]:
                return operators

            def without_random(self) -> Toy:
                return self

            def preprocess(self, image: Image) -> Trace:
                self.runs += 1
                return super().preprocess(np.asarray(image)[: 64 - self.runs])

        candidate = on(Crops(name="port"))
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.stage) == ("preprocessing.not_repeatable", RESIZE)
        assert "differ in shape, (1, 3, " in found.evidence[0]
        assert found.fix is not None and found.fix.text.startswith(fix)


@dataclass
class OneSize(Toy):
    """Its program takes (height, width) alone; `own_gain` is what its network does there."""

    size: tuple[int, int] = (64, 96)

    def infer(self, tensor: Array) -> Array:
        if tensor.shape[2:] != self.size:
            raise RuntimeError(f"expected {self.size}")
        return super().infer(tensor)

    def input_size(self) -> tuple[int, int]:
        return self.size


def of_one_size(side: OneSize, pixels: Array = OTHER_PAGE, name: str = "page 0") -> Trace:
    """Return the trace of a side whose network stopped at the size of this page."""
    return replace(stopped(on(replace(side, size=pixels.shape[:2]), pixels, name)), source=side)


class TestSizes:
    def test_a_network_that_is_right_at_its_own_size_is_named(self) -> None:
        found = cause_of(on(Toy(), OTHER_PAGE), of_one_size(OneSize(name="port")))
        assert (found.cause, found.stage) == ("network.fixed_shape", PROBABILITY_MAP)
        assert "port was exported for 64x96 and there returns train's map; at 96x128 it stopped" in found.evidence[0]

    def test_the_train_model_is_needed_to_say_so(self) -> None:
        reference = replace(on(Toy(name="baseline"), OTHER_PAGE), source=None)
        found = cause_of(reference, of_one_size(OneSize(name="port")))
        assert found.cause == "unknown"
        told = "the size (64, 96) (height, width) that it was exported for: that needs the train model"
        assert told in found.not_tried
        told = "weights, sub-models and training mode: they need the train model, not a baseline"
        assert told in found.not_tried

    def test_one_that_stopped_at_its_own_size_is_not_blamed_on_the_size(self) -> None:
        class Broken(OneSize):
            def infer(self, tensor: Array) -> Array:
                raise RuntimeError("out of memory")

        candidate = replace(stopped(on(Toy(name="port"))), source=Broken(name="port"))
        found = cause_of(on(Toy()), candidate)
        assert (found.cause, found.evidence) == ("unknown", ())

    @pytest.mark.parametrize(
        ("size", "gain", "told"),
        [((64, 96), 3.0, "the maps differ there too"), ((32, 32), 6.0, "a network stopped there too")],
    )
    def test_one_that_is_wrong_at_its_own_size_too_is_noticed(
        self, size: tuple[int, int], gain: float, told: str
    ) -> None:
        class Picky(OneSize):
            def infer(self, tensor: Array) -> Array:
                if tensor.shape[2] < 64:
                    raise RuntimeError("too small")
                return super().infer(tensor)

        found = cause_of(on(Toy(), OTHER_PAGE), of_one_size(Picky(name="port", gain=gain, size=size)))
        assert found.cause == "unknown"
        named = f"{size[0]}x{size[1]}"
        assert f"port was exported for {named} (height x width) only, and {told}" in found.evidence

    def test_nothing_is_noticed_about_sizes_where_the_candidate_cannot_be_run(self) -> None:
        lab = Laboratory(Comparisons(on(Toy()), replace(on(Squares(name="port")), source=None), BUILT_IN), 60)
        assert by_graph(lab, lab.candidate.probability_map) is None
        assert lab.noticed == []


RNG = np.random.default_rng(0)
WEIGHTS: Mapping[str, Array] = {
    "conv2d_0.w_0": RNG.uniform(0.5, 1.5, (32, 3, 1, 1)).astype(np.float32),
    "conv2d_1.w_0": (RNG.uniform(0.5, 1.5, (1, 32, 1, 1)) / 96).astype(np.float32),
    "conv2d_1.b_0": np.array([0.3], np.float32),
}
KEYS = {"conv2d_0.w_0": "stem.weight", "conv2d_1.w_0": "head.weight", "conv2d_1.b_0": "head.bias"}


@dataclass(frozen=True)
class Network:
    """What a diagnosis asks of a trained network, in numpy: two 1x1 convolutions and a sigmoid."""

    weights: Mapping[str, Array] = field(default_factory=lambda: WEIGHTS)
    gain: float = 6.0
    fused: None = None
    used: tuple[str, ...] = ()
    siblings: Mapping[str, Network] = field(default_factory=dict)

    def arrays(self) -> Mapping[str, Array]:
        return self.weights

    def keys(self) -> Mapping[str, str]:
        return KEYS

    def with_exported(self, exported: Mapping[str, Array]) -> Network:
        found = align(exported, self.arrays())
        assert found is not None
        return replace(self, weights={found.pairs[name]: array for name, array in exported.items()})

    def in_train_mode(self, *, batch_norm: bool) -> Network:
        return replace(self, gain=4.0 if batch_norm else 5.0)

    def run(self, tensor: Array) -> Array:
        stem, head, bias = (self.weights[name] for name in KEYS)
        hidden = np.einsum("oc,nchw->nohw", stem[:, :, 0, 0], tensor)
        return np.asarray(
            expit(self.gain * (np.einsum("oc,nchw->nohw", head[:, :, 0, 0], hidden) - bias[0])), np.float32
        )


@dataclass
class Trained(Toy):
    network: Network = field(default_factory=Network)
    folder: Path = Path("no-such-folder")

    @property
    def files(self) -> SimpleNamespace:
        config, checkpoint = self.folder / "config.yml", self.folder / "best.pdparams"
        return SimpleNamespace(checkpoint=checkpoint, config=config, yml={}, paddleocr_root=None, trust=False)

    def infer(self, tensor: Array) -> Array:
        return self.network.run(tensor)


@dataclass
class Exported(Toy):
    network_run: Network = field(default_factory=Network)
    power: int = 1

    def infer(self, tensor: Array) -> Array:
        return np.asarray(self.network_run.run(tensor) ** self.power)

    def stored_weights(self) -> Mapping[str, Array]:
        return self.network_run.weights


@dataclass
class Renamed(Exported):
    """Stores its arrays under other names."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, export: Exported, names: tuple[str, ...]) -> Renamed:
        return cls(name=export.name, network_run=export.network_run, power=export.power, names=names)

    def stored_weights(self) -> Mapping[str, Array]:
        return dict(zip(self.names, super().stored_weights().values(), strict=True))


def export_with(**changed: Array) -> Exported:
    """Return an export with other arrays, given as `head_w=` and the like."""
    short = {"conv2d_1.w_0": "head_w", "conv2d_1.b_0": "head_b"}
    named = {name: changed.get(short.get(name, ""), array) for name, array in WEIGHTS.items()}
    return Exported(name="port", network_run=Network(named))


FRESH = np.tile(np.array([0.5, 1.5], np.float32), 16)[np.argsort(RNG.random(32))].reshape(1, 32, 1, 1) / np.float32(96)
TURNED = np.ascontiguousarray(WEIGHTS["conv2d_1.w_0"][:, ::-1])
CONSTANT = np.full((1, 32, 1, 1), 1 / 96, np.float32)
NO_BIAS = np.zeros(1, np.float32)


class TestWeights:
    @pytest.mark.parametrize(
        ("export", "cause", "listed"),
        [
            (export_with(head_w=FRESH, head_b=NO_BIAS), "network.weights.partly_loaded", "head.weight"),
            (export_with(head_w=CONSTANT, head_b=NO_BIAS), "network.weights", "head.weight, head.bias"),
            (export_with(head_w=TURNED, head_b=NO_BIAS), "network.weights", "head.weight, head.bias"),
            (export_with(head_b=NO_BIAS), "network.weights", "not: head.bias"),
        ],
        ids=["fresh layer", "constant kernel", "turned kernel", "part of a layer"],
    )
    def test_the_most_specific_cause_of_which_all_are_examples_is_named(
        self, export: Exported, cause: str, listed: str
    ) -> None:
        found = cause_of(on(Trained()), on(export))
        assert (found.cause, found.stage) == (cause, PROBABILITY_MAP)
        assert listed in found.evidence[1]

    def test_that_do_not_explain_the_map_alone_were_tried(self) -> None:
        export = replace(export_with(head_b=NO_BIAS), power=2)
        found = cause_of(on(Trained()), on(export))
        assert found.cause == "unknown"
        told = "network.weights: train's network with port's weights does not return port's map (1 of 3 arrays differ)"
        assert told in found.tried
        assert not any(each.startswith("network.weights") for each in found.ruled_out)

    def test_that_are_the_checkpoints_are_ruled_out(self) -> None:
        found = cause_of(on(Trained()), on(replace(export_with(), power=2)))
        assert "network.weights: all 3 arrays of port are train's, bit for bit" in found.ruled_out

    def test_of_another_architecture_are_not_tried(self) -> None:
        class Other(Exported):
            def stored_weights(self) -> Mapping[str, Array]:
                return {"conv2d_0.w_0": np.ones((5, 3, 1, 1), np.float32)}

        found = cause_of(on(Trained()), on(Other(name="port", power=2)))
        assert found.cause == "unknown"
        which = "neither their names nor their content, shapes and order tell which of them is which"
        assert f"network.weights: the 1 arrays of port against train's: {which}" in found.not_tried
        assert not any(text.startswith("network.weights") for text in found.ruled_out)

    @pytest.mark.parametrize("names", [("conv1_weights", "conv2_weights", "conv2_bias"), ("a", "b", "c")])
    def test_under_other_names_are_the_checkpoints_all_the_same(self, names: tuple[str, ...]) -> None:
        export = replace(export_with(), power=2)
        found = cause_of(on(Trained()), on(Renamed.of(export, names)))
        assert "network.weights: all 3 arrays of port are train's, bit for bit" in found.ruled_out

    def test_under_other_names_that_differ_are_named(self) -> None:
        found = cause_of(on(Trained()), on(Renamed.of(export_with(head_b=NO_BIAS), ("c", "b", "a"))))
        assert found.cause == "network.weights"
        assert found.evidence[1].endswith("not: head.bias")

    def test_under_other_names_that_do_not_explain_the_map_are_not_ruled_out(self) -> None:
        export = replace(export_with(head_b=NO_BIAS), power=2)
        found = cause_of(on(Trained()), on(Renamed.of(export, ("a", "b", "c"))))
        assert not any(text.startswith("network.weights") for text in found.ruled_out)
        assert any("arrays were paired by shape and order, which may be wrong" in text for text in found.not_tried)

    def test_that_cannot_be_read_are_noted_once(self) -> None:
        class Unreadable(Exported):
            def stored_weights(self) -> Mapping[str, Array]:
                raise OSError("truncated")

        found = cause_of(on(Trained()), on(Unreadable(name="port", power=2)))
        assert found.cause == "unknown"
        assert [each for each in found.not_tried if "weights" in each] == ["the export's weights: OSError: truncated"]

    def test_that_are_finite_do_not_explain_a_map_that_is_not(self) -> None:
        class Overflows(Exported):
            def infer(self, tensor: Array) -> Array:
                return np.full_like(super().infer(tensor), np.nan)

        found, *_ = diagnose(reference=on(Trained()), candidate=on(Overflows(name="port")))
        assert (found.cause, found.stage) == ("unknown", PROBABILITY_MAP)
        assert "network.not_finite: port stores no NaN and no infinity" in found.ruled_out


class Spoils(Toy):
    """Stores a NaN; on OTHER_PAGE its map is finite, and wrong all the same."""

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor)
        return made**2 if tensor.shape[2:] == OTHER_PAGE.shape[:2] else np.full_like(made, np.nan)

    def stored_weights(self) -> Mapping[str, Array]:
        return {"conv2d_0.w_0": np.array([1.0, np.nan])}


class VariesAndSpoils(Varies, Spoils):
    """As above, with another parameter as well."""


class Dims(Toy):
    """Its engine dims the map; on OTHER_PAGE its program does so too."""

    def infer(self, tensor: Array) -> Array:
        return super().infer(tensor) * np.float32(0.8)

    def other_engines(self) -> Iterator[Alternative]:
        def run(tensor: Array) -> Array:
            is_other = tensor.shape[2:] == OTHER_PAGE.shape[:2]
            return self.infer(tensor) if is_other else Toy.infer(self, tensor)

        yield Alternative("engine.onednn", "oneDNN off", run)


class VariesAndBlots(Varies):
    """Has another parameter; on OTHER_PAGE there is ink on its tensor as well."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        is_other = trace.tensor.shape[2:] == OTHER_PAGE.shape[:2]
        blot = np.float32(0.3 if is_other else 0) * (np.arange(trace.tensor.shape[3]) % 7 == 0).astype(np.float32)
        return replace(trace, tensor=trace.tensor + blot)


class Races(Toy):
    def infer(self, tensor: Array) -> Array:
        self.runs += 1
        return super().infer(tensor) * np.float32(0.9 / (1 + self.runs % 5))


class TestTheCache:
    def test_no_time_means_no_diagnosis(self) -> None:
        assert remembered(DiagnosisCache(0), on(Toy()), on(Squares(name="port"))) == ()

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_fault_of_a_diagnosis_hides_nothing_but_from_its_own_tests(
        self, monkeypatch: pytest.MonkeyPatch, strict: bool
    ) -> None:
        def faulty(lab: Laboratory) -> list[Diagnosis]:
            raise KeyError("transforms")

        monkeypatch.setattr(DiagnosisCache, "strict", strict)
        monkeypatch.setattr("pytest_ocrparity.diagnose.cache.examine", faulty)
        cache, reference, candidate = DiagnosisCache(60), on(Toy()), on(Squares(name="port"))
        if strict:
            with pytest.raises(KeyError, match="transforms"):
                remembered(cache, reference, candidate)
        else:
            (found,) = remembered(cache, reference, candidate)
            assert (found.cause, found.summary) == ("unknown", "the diagnosis stopped: KeyError: 'transforms'")

    def test_an_image_is_looked_at_once(self) -> None:
        cache, reference, candidate = DiagnosisCache(60), on(Toy()), on(Squares(name="port"))
        first, second = (remembered(cache, reference, candidate) for _ in range(2))
        assert first[0] is second[0]

    def test_what_stays_unknown_is_looked_for_on_three_images_only(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Squares(name="port")
        *first, last = [
            remembered(cache, on(train, pixels, f"page {index}"), on(port, pixels, f"page {index}"))
            for index, pixels in enumerate(PAGES)
        ]
        told = "the same tensor gives another map, and no experiment explained it"
        assert [found.summary for (found,) in first] == [told] * 3
        assert last[0].summary == "budget spent: this run has made 3 diagnoses of such a failure"
        told = "experiments on this image; what was found on page 0, page 1, page 2 was not confirmed on it"
        assert last[0].not_tried == (told,)

    @pytest.mark.parametrize(
        ("train", "port", "expected"),
        [
            (Toy(), Varies(name="port", mean=0.4), ["normalize.mean_std"]),
            (Toy(), Dims(name="port"), ["engine.onednn"]),
            (Toy(), Races(name="port"), ["engine.not_repeatable"]),
            (Toy(), Spoils(name="port"), ["network.not_finite"]),
            (Toy(), VariesAndSpoils(name="port", mean=0.4), ["normalize.mean_std", "network.not_finite"]),
            (Trained(), export_with(head_b=NO_BIAS), ["network.weights"]),
        ],
        ids=["parameter", "engine", "chance", "not finite", "parameter and not finite", "weights"],
    )
    def test_a_known_cause_is_confirmed_on_another_image(self, train: Toy, port: Toy, expected: list[str]) -> None:
        cache = DiagnosisCache(60)
        for index, pixels in enumerate(PAGES[:2]):
            found = remembered(cache, on(train, pixels, f"page {index}"), on(port, pixels, f"page {index}"))
            assert causes(found) == expected
            # What is random is shown anew on each image, by an experiment of its own.
            is_proved_anew = index == 0 or expected == ["engine.not_repeatable"]
            assert [is_confirmed(each) for each in found] == [not is_proved_anew] * len(found)

    @pytest.mark.parametrize(
        ("port", "before", "after"),
        [
            (VariesAndBlots(name="port", mean=0.4), ["normalize.mean_std"], ["unknown"]),
            (Spoils(name="port"), ["network.not_finite"], ["unknown"]),
            (Dims(name="port"), ["engine.onednn"], ["unknown"]),
        ],
        ids=["tensor", "explains", "engine"],
    )
    def test_a_known_cause_is_not_confirmed_where_another_fault_shows(
        self, port: Toy, before: list[str], after: list[str]
    ) -> None:
        cache, train = DiagnosisCache(60), Toy()
        assert causes(remembered(cache, on(train), on(port))) == before
        found = remembered(cache, on(train, OTHER_PAGE, "page 1"), on(port, OTHER_PAGE, "page 1"))
        assert causes(found)[:1] == after
        assert not any(is_confirmed(each) for each in found)

    def test_a_network_that_stops_is_confirmed_by_stopping_again(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), OneSize(name="port")
        for index, pixels in enumerate((OTHER_PAGE, page(128, 96, ((8, 8, 60, 20), (8, 70, 60, 90))))):
            reference, name = on(train, pixels, f"page {index}"), f"page {index}"
            found = remembered(cache, reference, of_one_size(port, pixels, name))
            assert causes(found) == ["network.fixed_shape"]
        assert is_confirmed(found[0])

    def test_a_reference_without_a_network_confirms_by_the_tensor(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Varies(name="port", mean=0.4)
        for index, pixels in enumerate(PAGES[:2]):
            reference = replace(on(train, pixels, f"page {index}"), probability_map=None, detections=None)
            found = remembered(cache, reference, on(port, pixels, f"page {index}"))
            assert causes(found) == ["normalize.mean_std"]
        assert is_confirmed(found[0])

    def test_nothing_is_confirmed_without_time(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Varies(name="port", mean=0.4)
        assert causes(remembered(cache, on(train), on(port))) == ["normalize.mean_std"]
        cache.seconds = 1e-9
        (found,) = remembered(cache, on(train, PAGES[1], "page 1"), on(port, PAGES[1], "page 1"))
        assert (found.cause, found.summary) == ("unknown", "budget spent")


class TestAComparisonIsMissing:
    def test_where_nothing_was_found_but_that_a_side_did_not_record_a_stage(self) -> None:
        candidate = replace(on(Toy(name="port")), tensor=None)
        is_missing = [each.is_missing for each in compare(reference=on(Toy()), candidate=candidate)]
        assert is_missing == [True, False, False]

    @pytest.mark.parametrize(
        ("differences", "measures", "expected"),
        [
            ((Difference(TENSOR, "not_recorded"),), (), True),
            ((Difference(TENSOR, "not_recorded"),), (Measure("preprocessing.atol", 1.0, 2.0),), True),
            ((Difference(TENSOR, "not_recorded"),), (Measure("preprocessing.atol", 3.0, 2.0),), False),
            ((Difference(TENSOR, "not_recorded"), Difference(RESIZE, "size")), (), False),
            ((Difference(TENSOR, "not_recorded", fails=False),), (), False),
            ((), (), False),
        ],
    )
    def test_and_not_where_something_else_fails(
        self, differences: tuple[Difference, ...], measures: tuple[Measure, ...], expected: bool
    ) -> None:
        made = Comparison(
            kind="preprocessing",
            image="page 0",
            reference="train",
            candidate="port",
            status="different",
            differences=differences,
            measures=measures,
        )
        assert made.is_missing is expected


class SeveralOutputs(Toy):
    """Has three outputs, of which the pipeline takes the first."""

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        return {**super().parameters, "probability_map": {"engine": "numpy", "outputs": 3}}

    def other_outputs(self, tensor: Array) -> list[Array]:
        return [np.asarray(self.infer(tensor) * 0.5, np.float32), np.asarray(self.infer(tensor) - 0.2, np.float32)]


@pytest.mark.parametrize(("offset", "cause"), [(0.2, "network.outputs"), (0.3, "unknown")])
def test_another_output_is_named_only_where_it_is_the_map(offset: float, cause: str) -> None:
    diagnosis = cause_of(on(Toy()), on(SeveralOutputs(name="port", offset=offset)))
    assert diagnosis.cause == cause
    told = (*diagnosis.evidence, *diagnosis.tried)
    expected = "output 2 of port (from 0) is train's map" if cause != "unknown" else "no other output is the map"
    assert any(expected in text for text in told)


class ForgetsABox(Varies):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons[1:], made.scores[1:])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Refuses(name="port", box_thresh=0.9999), "these are compiled in"),
        (ForgetsABox(name="port", box_thresh=0.9999), "postprocess.box_thresh: with train's box_thresh, port's set of"),
    ],
)
def test_boxes_that_parameters_do_not_put_right_stay_unknown(wrong: Toy, told: str) -> None:
    diagnosis = cause_of(on(Toy()), on(wrong))
    assert (diagnosis.stage, diagnosis.cause) == ("detections", "unknown")
    assert any(told in text for text in (*diagnosis.tried, *diagnosis.not_tried))
    assert diagnosis.ruled_out == ()
