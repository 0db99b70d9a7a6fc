"""The stored weights: which cause of all that fit is named, and what rules them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from diagnosing import Array, cause_of, on
from networks import (
    BRANCHES,
    CONSTANT,
    FRESH,
    NO_BIAS,
    TURNED,
    WEIGHTS,
    Branched,
    Exported,
    Network,
    Renamed,
    Trained,
    export_with,
    fused,
)

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.compared_weights import StoredWeights, cause_of_differing_weights
from pytest_ocrparity.diagnose.network.lookalikes import Neighbour
from pytest_ocrparity.diagnose.network.weights import export_fix
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.tolerance import BUILT_IN, PRESETS


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

    @pytest.mark.parametrize(
        ("rounded", "cause", "preset"),
        [
            (lambda array: array.astype(np.float16).astype(np.float32), "precision.fp16", "fp16"),
            (lambda array: (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32), "precision.bf16", "fp16"),
            (lambda array: np.round(array * 127 / array.max()) * array.max() / 127, "precision.int8", "int8"),
        ],
    )
    def test_that_are_rounded_have_the_name_of_their_precision_and_a_preset_that_there_is(
        self, rounded: Callable[[Array], Array], cause: str, preset: str
    ) -> None:
        weights = {name: np.asarray(rounded(array), np.float32) for name, array in WEIGHTS.items()}
        stored = StoredWeights(weights, Network(), None, {name: name for name in WEIGHTS})
        assert cause_of_differing_weights(stored, "port", lambda: None)[0] == cause
        lab = Laboratory(Comparisons(on(Trained()), on(Exported(name="port")), BUILT_IN), 60)
        text = export_fix(lab, Alternative(cause, "", Network().run)).text
        name = cause.removeprefix("precision.")
        assert text.startswith(f"if {name} is meant, compare with --ocr-tolerance={preset}; if not, leave the weights")
        assert preset in PRESETS

    def test_that_have_no_partner_are_on_no_grid(self) -> None:
        half = {name: array.astype(np.float16).astype(np.float32) for name, array in WEIGHTS.items()}
        first, *others = WEIGHTS
        stored = StoredWeights(half, Network(), None, {name: name for name in others})
        assert first in stored.differing
        assert cause_of_differing_weights(stored, "port", lambda: None)[0] == "network.weights"

    def test_that_do_not_explain_the_map_alone_were_tried(self) -> None:
        export = replace(export_with(head_b=NO_BIAS), power=2)
        found = cause_of(on(Trained()), on(export))
        assert found.cause == "unknown"
        told = "network.weights: train's network with port's weights does not return port's map (1 of 3 arrays differ)"
        assert told in found.tried
        assert not any(each.startswith("network.weights") for each in found.ruled_out)

    def test_that_are_the_checkpoints_are_ruled_out(self) -> None:
        found = cause_of(on(Trained()), on(replace(export_with(), power=2)))
        assert "network.weights: all 3 arrays of port are train's, exactly" in found.ruled_out

    @pytest.mark.parametrize(
        ("stored", "used", "is_program", "rest"),
        [
            (2, 3, False, "of 3 arrays of layers that train runs, not found: head.bias"),
            (3, 0, False, "whether train uses others is not known"),
            (3, 3, False, ""),
            (2, 3, True, ""),  # a layer has it, and evaluation does not touch it: nothing can hide in a program
        ],
    )
    def test_are_equal_only_where_none_can_have_been_missed(
        self, stored: int, used: int, is_program: bool, rest: str
    ) -> None:
        names = tuple(WEIGHTS)

        class Hides(Exported):
            def stored_weights(self) -> Mapping[str, Array]:
                return {name: WEIGHTS[name] for name in names[:stored]}

            def stores_all_weights(self) -> bool:
                return is_program

        found = cause_of(on(Trained(network=Network(used=names[:used]))), on(Hides(name="port", power=2)))
        told = f"network.weights: all {stored} arrays of port that were read are train's, exactly; {rest}"
        assert (told in found.not_tried) is bool(rest)
        assert any(text.startswith("network.weights") for text in found.ruled_out) is not bool(rest)

    @pytest.mark.parametrize(
        ("factor", "power", "told"),
        [
            (1.0, 2, "network.weights: all 3 arrays of port are train's, exactly; 3 of them are stored in float64"),
            (
                1.2,
                1,
                "2 of 3 stored arrays are the checkpoint's exactly; 3 of them are stored in float64; not: head.bias",
            ),
        ],
    )
    def test_in_another_type_are_compared_by_their_values(self, factor: float, power: int, told: str) -> None:
        class Wide(Exported):
            def stored_weights(self) -> Mapping[str, Array]:
                return {name: array.astype(np.float64) for name, array in super().stored_weights().items()}

        run = export_with(head_b=np.asarray(WEIGHTS["conv2d_1.b_0"] * np.float32(factor))).network_run
        found = cause_of(on(Trained()), on(Wide(name="port", network_run=run, power=power)))
        assert told in (*found.ruled_out, *found.evidence)

    def test_that_are_rather_those_of_another_checkpoint_are_said_to_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = "2 of 3 stored arrays that vary and are not train's are those of early.pdparams, exactly"
        for nearest in (Neighbour(Path("early.pdparams"), 2, 3), Neighbour(Path("early.pdparams"), 0, 3), None):
            monkeypatch.setattr("pytest_ocrparity.diagnose.network.weights._nearest", lambda lab, made=nearest: made)
            found = cause_of(on(Trained()), on(export_with(head_b=NO_BIAS)))
            assert (told in found.evidence) is (nearest is not None and nearest.held > 0)
            assert any("early.pdparams" in text for text in found.evidence) is (told in found.evidence)

    @pytest.mark.parametrize(("held", "cause"), [(np.inf, "unknown"), (0.3, "network.not_finite")])
    def test_that_are_not_finite_in_the_checkpoint_either_are_not_blamed(self, held: float, cause: str) -> None:
        class Hides(Network):
            def run(self, tensor: Array) -> Array:
                return Network().run(tensor)  # what is not finite does no harm

        class Overflows(Exported):
            def infer(self, tensor: Array) -> Array:
                return np.full_like(super().infer(tensor), np.nan)

        own, right = ({**WEIGHTS, "conv2d_1.b_0": np.array([value], np.float32)} for value in (np.inf, held))
        found, *_ = diagnose(
            reference=on(Trained(network=Hides(right))), candidate=on(Overflows(name="port", network_run=Hides(own)))
        )
        assert found.cause == cause
        told = "network.not_finite: port stores no NaN and no infinity that the checkpoint does not hold"
        assert (told in found.ruled_out) is (cause == "unknown")

    @pytest.mark.parametrize(
        ("value", "cause"), [(np.nan, "network.not_finite"), (-np.inf, "unknown"), (1.0, "unknown")]
    )
    def test_that_are_not_finite_and_no_weights_of_the_checkpoint_are_blamed(self, value: float, cause: str) -> None:
        class Constant(Exported):
            def infer(self, tensor: Array) -> Array:
                return np.full_like(super().infer(tensor), np.nan)

            def stored_weights(self) -> Mapping[str, Array]:
                return {**super().stored_weights(), "slope": np.array(value, np.float32)}

        train = Trained(network=Network(used=tuple(WEIGHTS)))
        found, *_ = diagnose(reference=on(train), candidate=on(Constant(name="port")))
        assert found.cause == cause
        told = "port stores infinity in arrays that are not known to be weights: 1 of 1 in slope"
        assert (told in found.evidence) is bool(np.isinf(value))
        is_ruled_out = any(text.startswith("network.not_finite") for text in found.ruled_out)
        assert is_ruled_out is (value == 1.0)

    @pytest.mark.parametrize(("value", "cause"), [(np.nan, "network.not_finite"), (np.inf, "unknown")])
    def test_infinity_is_not_blamed_where_it_is_not_known_which_array_is_which(self, value: float, cause: str) -> None:
        class Other(Exported):
            def infer(self, tensor: Array) -> Array:
                return np.full_like(super().infer(tensor), np.nan)

            def stored_weights(self) -> Mapping[str, Array]:
                return {"mask": np.full((5, 3, 1, 1), value, np.float32)}

        found, *_ = diagnose(reference=on(Trained()), candidate=on(Other(name="port")))
        assert found.cause == cause

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
        assert "network.weights: all 3 arrays of port are train's, exactly" in found.ruled_out

    def test_under_other_names_that_differ_are_named(self) -> None:
        found = cause_of(on(Trained()), on(Renamed.of(export_with(head_b=NO_BIAS), ("c", "b", "a"))))
        assert found.cause == "network.weights"
        assert found.evidence[1].endswith("not: head.bias")

    def test_under_other_names_that_do_not_explain_the_map_are_not_ruled_out(self) -> None:
        export = replace(export_with(head_b=NO_BIAS), power=2)
        found = cause_of(on(Trained()), on(Renamed.of(export, ("a", "b", "c"))))
        assert not any(text.startswith("network.weights") for text in found.ruled_out)
        assert any("arrays were paired by shape and order, which may be wrong" in text for text in found.tried)

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


class TestFusion:
    """One array of the export is a branch of the network by its name and shape, and that of the fused copy as well."""

    @pytest.mark.parametrize(
        ("share", "cause", "summary"),
        [
            (0.0, "network.fusion", "branches of port were fused without other"),
            (
                0.2,
                "network.weights",
                "1 of port's weights that fusing makes are not those of the checkpoint's fused copy: fused otherwise, "
                "or from another checkpoint",
            ),
        ],
    )
    def test_a_branch_that_was_left_out_is_told_from_branches_of_another_checkpoint(
        self, share: float, cause: str, summary: str
    ) -> None:
        train = Trained(network=Branched(BRANCHES, fused=fused()))
        found = cause_of(on(train), on(Exported(name="port", network_run=fused(share))))
        assert (found.cause, found.stage, found.summary) == (cause, PROBABILITY_MAP, summary)
        assert found.evidence[1].endswith("not: stem.fused.weight")

    def test_what_neither_network_makes_is_unknown(self) -> None:
        train = Trained(network=Branched(BRANCHES, fused=fused()))
        found = cause_of(on(train), on(Exported(name="port", network_run=fused(0.2), power=2)))
        assert found.cause == "unknown"
        told = "network.weights: train's network with port's weights does not return port's map (1 of 3 arrays differ)"
        assert told in found.tried

    def test_branches_that_were_fused_rightly_have_no_cause(self) -> None:
        train = Trained(network=Branched(BRANCHES, fused=fused()))
        assert diagnose(reference=on(train), candidate=on(Exported(name="port", network_run=fused()))) == ()


@dataclass(frozen=True)
class Overflowing(Network):
    def run(self, tensor: Array) -> Array:
        return np.full_like(super().run(tensor), np.nan)


@pytest.mark.parametrize(
    ("network", "advice"),
    [
        (
            Network({**WEIGHTS, "conv2d_1.b_0": np.array([np.nan], np.float32)}),
            ": take another checkpoint, or train again",
        ),
        (Overflowing(), "; its checkpoint and its tensor hold none: look for a layer that overflows"),
    ],
)
def test_a_reference_whose_own_map_is_not_finite_blames_nobody(network: Network, advice: str) -> None:
    found = cause_of(on(Trained(network=network)), on(Exported(name="port", network_run=network)))
    assert (found.cause, found.stage) == ("unknown", PROBABILITY_MAP)
    assert found.summary.endswith(f" of train's own map are NaN or infinite, with which nothing agrees{advice}")
    of_checkpoint = ("values of train's checkpoint that are not finite: 1 of 1 in head.bias",)
    assert found.evidence == (() if isinstance(network, Overflowing) else of_checkpoint)
