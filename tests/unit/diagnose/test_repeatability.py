"""Sides that do not repeat themselves are noticed before the export is examined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import OTHER_PAGE, cause_of, on, on_spread
from networks import WEIGHTS, Exported, Trained, export_with
from toy import Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.repeatability import examine_repeatability_of_maps, examine_repeatability_of_tensors
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image


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


class TestNetworks:
    """A network that answers otherwise each time is named by its side; one that only answered otherwise is not."""

    class Drops(Toy):
        def infer(self, tensor: Any) -> Any:
            made = super().infer(tensor)
            return made * np.float32(1 / (1 + 0.05 * self.runs))

    @pytest.mark.parametrize("is_reference", [True, False])
    def test_one_that_does_not_repeat(self, is_reference: bool) -> None:
        sides = (self.Drops(), Toy(name="port")) if is_reference else (Toy(), self.Drops(name="port"))
        found = cause_of(*map(on, sides))
        assert found.cause == ("reference.not_repeatable" if is_reference else "engine.not_repeatable")
        name = "train" if is_reference else "port"
        assert found.summary == f"{name} returns something else for the same input each time"
        assert f"the same tensor twice through {name}'s network gives maps that differ by up to" in found.evidence[0]

    def test_a_map_of_another_size_when_it_runs_again(self) -> None:
        class Crops(Toy):
            def infer(self, tensor: Any) -> Any:
                made = super().infer(tensor) * np.float32(1 / (1 + 0.05 * self.runs))
                return made if self.runs < 3 else made[..., :-1]

        found = cause_of(on(Toy()), on(Crops(name="port")))
        assert found.cause == "engine.not_repeatable"
        assert "port's network gives maps that differ in shape, (1, 1, " in found.evidence[0]

    def test_a_map_that_the_candidates_network_does_not_return(self) -> None:
        candidate = on(Toy(name="port"))
        assert candidate.probability_map is not None
        changed = replace(candidate, probability_map=candidate.probability_map * np.float32(0.9))
        (found,) = diagnose(reference=on(Toy()), candidate=changed)
        assert found.cause == "unknown"
        assert found.summary.startswith(
            "port's trace holds another map than its infer() returns of the trace's tensor: "
        )

    def test_a_map_that_the_references_network_does_not_return_is_said(self) -> None:
        reference = on(Toy())
        assert reference.probability_map is not None
        changed = replace(reference, probability_map=reference.probability_map * np.float32(0.9))
        found, *_ = diagnose(reference=changed, candidate=on(Toy(name="port")))
        assert not found.cause.endswith("not_repeatable")
        assert "train's trace holds another map than its infer() returns of the trace's tensor" in found.evidence


class TestVariedIsControlled:
    """Nothing is concluded from `varied()` where its own parameters do not give the same side again."""

    def test_a_tensor_with_nan_agrees_with_itself(self) -> None:
        class Divides(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                tensor = trace.tensor.copy()
                tensor[0, 0, 0, 0] = np.nan
                return replace(trace, tensor=tensor)

        found = diagnose(reference=on_spread(Toy()), candidate=on_spread(Divides(name="port")))
        assert not any(each.cause.endswith("not_repeatable") for each in found)


def laboratory(reference: Trace, candidate: Trace) -> Laboratory:
    return Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)


class Alternates(Toy):
    """Its tensors differ by `step` from one run to the next, in one place or in all, or its second run fails."""

    step = 0.0
    is_everywhere = False
    fails_at = 0

    def preprocess(self, image: Image) -> Trace:
        self.runs += 1
        if self.runs == self.fails_at:
            raise RuntimeError("no second time")
        trace = super().preprocess(image)
        assert trace.tensor is not None
        tensor = trace.tensor.copy()
        tensor[... if self.is_everywhere else (0, 0, 0, 0)] += np.float32(self.step * (self.runs % 2))
        return replace(trace, tensor=tensor)


class TestTensors:
    def test_sides_that_repeat_themselves_are_noted_nowhere(self) -> None:
        lab = laboratory(on(Toy()), on(Toy(name="port")))
        assert (examine_repeatability_of_tensors(lab), lab.noticed, lab.not_tried) == ([], [], [])

    def test_a_side_without_a_recorded_tensor_holds_no_other(self) -> None:
        lab = laboratory(replace(on(Toy()), tensor=None), replace(on(Toy(name="port")), tensor=None))
        assert (examine_repeatability_of_tensors(lab), lab.noticed) == ([], [])

    def test_a_number_that_is_none_repeats_itself_too(self) -> None:
        class Broken(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor * np.float32(np.nan))

        lab = laboratory(on(Toy()), on(Broken(name="port")))
        assert (examine_repeatability_of_tensors(lab), lab.noticed) == ([], [])

    @pytest.mark.parametrize("changes", [{"source": None}, {"image_sha256": None}])
    def test_without_a_source_or_an_image_nothing_is_run(self, changes: Any) -> None:
        sides = Toy(), Toy(name="port")
        lab = laboratory(*(replace(on(side), **changes) for side in sides))
        assert (examine_repeatability_of_tensors(lab), lab.last_error) == ([], "")

    @pytest.mark.parametrize("lacks", [1, 2])
    def test_a_run_without_a_tensor_shows_nothing(self, lacks: int) -> None:
        class Stops(Toy):
            def preprocess(self, image: Image) -> Trace:
                self.runs += 1
                trace = super().preprocess(image)
                return replace(trace, tensor=None) if self.runs == lacks else trace

        lab = laboratory(on(Toy()), replace(on(Toy(name="port")), source=Stops(name="port")))
        assert (examine_repeatability_of_tensors(lab), lab.noticed) == ([], [])

    @pytest.mark.parametrize("fails_at", [1, 2])
    def test_a_run_that_fails_shows_nothing(self, fails_at: int) -> None:
        candidate = on(Toy(name="port"))
        side = Alternates(name="port")
        side.fails_at = fails_at
        lab = laboratory(on(Toy()), replace(candidate, source=side))
        assert (examine_repeatability_of_tensors(lab), lab.noticed) == ([], [])

    def test_the_amount_is_that_between_two_runs(self) -> None:
        side = Alternates(name="port")
        side.step = 0.25
        (found,) = examine_repeatability_of_tensors(laboratory(on(Toy()), replace(on(Toy(name="port")), source=side)))
        assert (found.stage, found.cause) == (TENSOR, "preprocessing.not_repeatable")
        assert found.evidence == ("the same image twice through port gives tensors that differ by up to 0.25",)

    def test_a_reference_that_stopped_without_random_operators_is_not_blamed_on_chance(self) -> None:
        class Orderly(Toy):
            def random_operators(self) -> tuple[str, ...]:
                return ()

            def without_random(self) -> Toy:
                return Toy()

        error = StageError(TENSOR, "out of range")
        stopped = replace(on(Orderly()), tensor=None, probability_map=None, detections=None, error=error)
        (found,) = examine_repeatability_of_tensors(laboratory(stopped, on(Toy(name="port"))))
        assert found.cause == "unknown"


class TestMaps:
    def test_networks_that_repeat_themselves_are_ruled_out_by_name(self) -> None:
        lab = laboratory(on(Toy()), on(Toy(name="port")))
        assert examine_repeatability_of_maps(lab) == []
        assert lab.ruled_out == [
            "reference.not_repeatable: train's network returns the same map again",
            "engine.not_repeatable: port's network returns the same map again",
        ]

    @pytest.mark.parametrize("lacks", [{"tensor": None}, {"probability_map": None}, {"source": None}], ids=str)
    def test_what_was_not_recorded_is_not_run(self, lacks: dict[str, Any]) -> None:
        sides = Toy(), Toy(name="port")
        lab = laboratory(*(replace(on(side), **lacks) for side in sides))
        before = [side.runs for side in sides]
        assert (examine_repeatability_of_maps(lab), lab.ruled_out) == ([], [])
        assert [side.runs for side in sides] == before

    def test_a_network_that_fails_or_returns_another_shape_shows_nothing(self) -> None:
        class Fails(Toy):
            def infer(self, tensor: Any) -> Any:
                raise RuntimeError("no engine")

        class Halves(Toy):
            def infer(self, tensor: Any) -> Any:
                return super().infer(tensor)[..., ::2]

        for source in (Fails(name="port"), Halves(name="port")):
            lab = laboratory(on(Toy()), replace(on(Toy(name="port")), source=source))
            assert examine_repeatability_of_maps(lab) == []
            assert len(lab.ruled_out) == 1

    def test_the_amount_is_that_between_two_runs(self) -> None:
        class Flips(Toy):
            def infer(self, tensor: Any) -> Any:
                return super().infer(tensor) * np.float32(0) + np.float32(0.5 + 0.25 * (self.runs % 2))

        (found,) = examine_repeatability_of_maps(laboratory(on(Toy()), replace(on(Toy(name="port")), source=Flips())))
        assert found.evidence == ("the same tensor twice through port's network gives maps that differ by up to 0.25",)


HALVED = np.asarray(WEIGHTS["conv2d_1.w_0"] * 0.5)


def drawn(runs: int) -> float:
    """Return another number for each run, 0 to 1."""
    return (runs * 0.618) % 1


class TestChanceThatIsNotAll:
    """What does not come again is the whole cause only where it explains how far the two sides lie apart."""

    def noisy(self, noise: float, **changed: Any) -> Exported:
        class Noisy(Exported):
            def infer(self, tensor: Any) -> Any:
                self.runs += 1
                return super().infer(tensor) + np.float32(noise * drawn(self.runs))

        return Noisy(name="port", network_run=export_with(**changed).network_run)

    def test_another_fault_beside_a_little_noise_is_found_within_it(self) -> None:
        found = diagnose(reference=on(Trained()), candidate=on(self.noisy(1e-3, head_w=HALVED)))
        assert [each.cause for each in found] == ["engine.not_repeatable", "network.weights"]
        assert found[0].summary == (
            "port returns something else for the same input each time, which explains only a part of the difference"
        )
        proof = found[0].evidence[1]
        assert proof.startswith(
            "in 3 runs, chance moved results by up to 0.000618, and in one place those of port lie "
        )
        assert proof.endswith(" or more from those of train: chance explains only a part")
        assert (
            found[1].evidence[-1]
            == "maps that lie no more than 0.000618 apart, as by chance, were taken to be the same"
        )

    def test_maps_of_another_shape_are_not_explained(self) -> None:
        class Halves(Toy):
            def infer(self, tensor: Any) -> Any:
                return super().infer(tensor)[..., ::2] + np.float32(1e-3 * drawn(self.runs))

        first, *_ = found = diagnose(reference=on(Toy()), candidate=on(Halves(name="port")))
        assert [each.cause for each in found][:2] == ["engine.not_repeatable", "unknown"]
        assert first.evidence[1].endswith(
            ", and those of port can't be compared with those of train value by value: chance explains only a part"
        )

    @pytest.mark.parametrize("changed", [{}, {"head_w": HALVED}])
    def test_of_another_tensor_the_maps_of_the_references_are_compared(self, changed: Any) -> None:
        """The candidate's own maps are of tensors that differ by themselves."""
        side = replace(self.noisy(1e-3, **changed), mean=0.3)
        trace = on(side)
        lab = laboratory(on(Trained()), trace)
        causes = [each.cause for each in examine_repeatability_of_maps(lab)]
        assert causes == ["engine.not_repeatable"]
        assert (lab.noise > 0) is bool(changed)

    def test_without_the_references_tensor_nothing_is_compared(self) -> None:
        lab = laboratory(replace(on(Trained()), tensor=None), on(self.noisy(0.05, head_w=HALVED)))
        assert [each.cause for each in examine_repeatability_of_maps(lab)] == ["engine.not_repeatable"]

    def test_a_random_reference_whose_candidate_returns_another_map_than_its_trace(self) -> None:
        class Drops(Toy):
            def infer(self, tensor: Any) -> Any:
                return super().infer(tensor) + np.float32(1e-3 * drawn(self.runs))

        candidate = on(Toy(name="port"))
        assert candidate.probability_map is not None
        changed = replace(candidate, probability_map=candidate.probability_map * np.float32(0.9))
        lab = laboratory(on(Drops()), changed)
        found = examine_repeatability_of_maps(lab)
        assert [each.cause for each in found] == ["reference.not_repeatable", "unknown"]
        assert found[1].summary.startswith("port's trace holds another map than its infer() returns")
        assert lab.noise == 0

    @pytest.mark.parametrize(("noise", "is_little"), [(0.0625, True), (0.078125, False)])
    def test_an_eighth_of_what_is_left_is_little(self, noise: float, is_little: bool) -> None:
        class Steps(Toy):
            def infer(self, tensor: Any) -> Any:
                made = super().infer(tensor)
                return np.zeros_like(made) + np.float32(self.offset + noise * (self.runs % 2))

        lab = laboratory(on(Toy(gain=0.0, offset=-0.5)), on(Steps(name="port", offset=0.5)))
        examine_repeatability_of_maps(lab)
        assert (lab.noise == noise) is is_little

    def test_noise_that_explains_all_is_the_only_cause(self) -> None:
        found = cause_of(on(Trained()), on(self.noisy(1e-3)))
        assert (found.cause, found.summary) == (
            "engine.not_repeatable",
            "port returns something else for the same input each time",
        )
        assert len(found.evidence) == 1
        (beside,) = found.noticed
        assert beside.startswith("in 3 runs, chance moved results by up to 0.000618, which explains the difference")
        assert beside.endswith(", and would hide another fault that changes values by less")

    @pytest.mark.parametrize("is_wrong", [True, False])
    def test_wrong_weights_beneath_the_noise_are_noticed(self, is_wrong: bool) -> None:
        """They move the map by less than it moves by chance, and are read without a map: near miss, the right ones."""
        weights = np.asarray(WEIGHTS["conv2d_1.w_0"] * np.float32(1.001))
        found = cause_of(on(Trained()), on(self.noisy(0.05, **({"head_w": weights} if is_wrong else {}))))
        assert found.cause == "engine.not_repeatable"
        assert found.noticed[1:] == (
            ("2 of 3 stored arrays are the checkpoint's exactly; not: head.weight",) if is_wrong else ()
        )

    def test_another_fault_beside_much_noise_is_not_looked_for_and_said(self) -> None:
        found = diagnose(reference=on(Trained()), candidate=on(self.noisy(0.03, head_w=HALVED)))
        assert [each.cause for each in found] == ["engine.not_repeatable", "unknown"]
        assert found[1].summary == "the two sides' maps lie further apart than chance explains"
        assert found[1].noticed == ("2 of 3 stored arrays are the checkpoint's exactly; not: head.weight",)
        assert (
            found[1].not_tried[0].startswith("experiments with the network: its maps lie too far apart, by up to 0.0")
        )

    def test_noise_stays_a_cause_where_the_budget_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pytest_ocrparity.diagnose.budget.MOST_RUNS", 3)
        found = diagnose(reference=on(Trained()), candidate=on(self.noisy(1e-3, head_w=HALVED)))
        assert [each.cause for each in found] == ["engine.not_repeatable", "unknown"]
        assert any(text.startswith("the rest: used ") for text in found[1].not_tried)

    def test_how_much_it_explains_is_not_known_where_the_budget_ends_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Near miss: the runs suffice to tell that it explains only a part."""
        told = []
        for most in (4, 20):
            monkeypatch.setattr("pytest_ocrparity.diagnose.budget.MOST_RUNS", most)
            first, *_ = diagnose(reference=on(Trained()), candidate=on(self.noisy(0.05, head_w=HALVED)))
            assert first.cause == "engine.not_repeatable"
            told.append((first.summary.endswith("which explains only a part of the difference"), first.evidence[-1]))
        assert told[0] == (False, "how much of the difference chance explains is not known")
        assert told[1][0]
        assert told[1][1].endswith("chance explains only a part")

    def test_neither_layers_nor_what_ran_before_are_looked_for(self) -> None:
        """What changes from run to run shows neither; near miss, the same network without noise."""
        side = self.noisy(0.05, head_w=HALVED)
        found = diagnose(reference=on(Trained()), candidate=on(side))
        assert [each.cause for each in found] == ["engine.not_repeatable", "unknown"]
        assert found[1].not_tried[-1] == "layers: a search needs the same arrays each time"
        assert not any(text.startswith("engine.state") for text in found[1].not_tried)
        (steady,) = diagnose(reference=on(Trained()), candidate=on(self.noisy(0, head_w=HALVED)))
        assert not any("come again" in text for text in steady.not_tried)

    def test_both_causes_are_confirmed_on_further_images(self) -> None:
        cache, train, port = DiagnosisCache(60), Trained(), self.noisy(1e-3, head_w=HALVED)
        for index in range(5):
            pixels = np.roll(OTHER_PAGE, 4 * index, axis=1)
            reference, candidate = (on(side, pixels, f"page {index}") for side in (train, port))
            found = cache.diagnose(Comparisons(reference, candidate, BUILT_IN))
            assert [each.cause for each in found] == ["engine.not_repeatable", "network.weights"], index
        assert found[1].evidence[0].startswith("found on page 0; here as well the stage differs")

    @pytest.mark.parametrize(("step", "is_everywhere"), [(0.25, False), (0.25, True), (9.0, False), (9.0, True)])
    def test_another_tensor_beside_random_ones_is_said(self, step: float, is_everywhere: bool) -> None:
        """Near miss: all values of the tensors lie so far apart that they may be drawn from the same."""
        side = Alternates(name="port", mean=0.4)
        side.step, side.is_everywhere = step, is_everywhere
        lab = laboratory(on(Toy()), on(side))
        causes = [each.cause for each in examine_repeatability_of_tensors(lab)]
        assert causes == ["preprocessing.not_repeatable", *([] if step > 1 and is_everywhere else ["unknown"])]

    def test_a_random_reference_is_compared_as_well(self) -> None:
        class Drops(Toy):
            def infer(self, tensor: Any) -> Any:
                return super().infer(tensor) + np.float32(1e-3 * drawn(self.runs))

        found = diagnose(reference=on(Drops()), candidate=on(Toy(name="port", offset=0.3)))
        assert [each.cause for each in found] == ["reference.not_repeatable", "unknown"]
        found = diagnose(reference=on(Drops()), candidate=on(Toy(name="port")))
        assert [each.cause for each in found] == ["reference.not_repeatable"]
