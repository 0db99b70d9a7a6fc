"""Networks of one size: what they are blamed for, and what not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from diagnosing import OTHER_PAGE, Array, Squares, cause_of, on, stopped
from networks import OneSize, of_one_size
from toy import Toy, page

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network import input_size
from pytest_ocrparity.diagnose.network.input_size import by_graph
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.tolerance import BUILT_IN


class TestSizes:
    def test_a_network_that_is_right_at_its_own_size_is_named(self) -> None:
        found = cause_of(on(Toy(), OTHER_PAGE), of_one_size(OneSize(name="port")))
        assert (found.cause, found.stage) == ("network.fixed_shape", PROBABILITY_MAP)
        assert "port was exported for 64x96 and there returns train's map; at 96x128 it stopped" in found.evidence[0]

    @pytest.mark.parametrize(
        ("boxes", "cause"), [(((70, 66, 124, 92),), "network.fixed_shape"), ((), "unknown")], ids=["below", "blank"]
    )
    def test_its_own_size_is_tried_where_the_page_has_text(
        self, boxes: tuple[tuple[int, int, int, int], ...], cause: str
    ) -> None:
        pixels = page(96, 128, boxes)
        found = cause_of(on(Toy(), pixels), of_one_size(OneSize(name="port"), pixels))
        assert found.cause == cause
        told = "port was exported for 64x96 (height x width) only, and a part of that size shows no text"
        assert (told in found.evidence) is (cause == "unknown")

    def test_one_that_errs_where_there_is_text_is_not_blamed_on_the_size(self) -> None:
        pixels = page(96, 128, ((70, 66, 124, 92),))
        found = cause_of(on(Toy(), pixels), of_one_size(OneSize(name="port", gain=3.0), pixels))
        assert found.cause == "unknown"

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

    @pytest.mark.parametrize(("factor", "is_graph"), [(1.0, True), (0.9, False)])
    def test_a_graph_that_makes_the_map_by_itself_is_the_cause_where_the_engine_has_one_way_to_run(
        self, factor: float, is_graph: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = Squares(name="port")
        graph = SimpleNamespace(output=0, run=lambda tensor, places: [factor * port.infer(tensor)])
        monkeypatch.setattr("pytest_ocrparity.diagnose.network.input_size.candidate_graph", lambda lab: graph)
        lab = Laboratory(Comparisons(on(Toy()), on(port), BUILT_IN), 60, has_equal_weights=True)
        found = by_graph(lab, lab.candidate.probability_map)
        assert (found is not None and found.cause == "network.graph") is is_graph
        assert ("port's program by itself returns its map" in lab.noticed) is is_graph

    def test_hints_of_other_experiments_are_no_proof_and_its_own_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        port = Squares(name="port")
        graph = SimpleNamespace(output=0, run=lambda tensor, places: [port.infer(tensor)])
        monkeypatch.setattr("pytest_ocrparity.diagnose.network.input_size.candidate_graph", lambda lab: graph)
        for side, cause in ((None, "network.graph"), ((64, 64), "network.traced_shape")):
            monkeypatch.setattr(input_size, "_agreeing_size", lambda lab, tensor, side=side: side)
            lab = Laboratory(Comparisons(on(Toy()), on(port), BUILT_IN), 60, has_equal_weights=True)
            lab.noticed = ["a hint of the text"]
            found = by_graph(lab, lab.candidate.probability_map)
            assert found is not None and found.cause == cause
            assert "a hint of the text" in lab.noticed and "a hint of the text" not in found.evidence
            assert "port's program by itself returns its map" in found.evidence
            told = "the maps are equal at 64x64 (height x width); that part repeated to 64x96, they differ"
            assert (told in found.evidence) is (side is not None)

    def test_the_largest_size_that_fits_comes_first_and_the_smallest_that_does_not_next(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []
        monkeypatch.setattr(input_size, "_maps_of_both", lambda lab, tensor: tried.append(tensor.shape[2:]))
        lab = Laboratory(Comparisons(on(Toy()), on(Squares(name="port")), BUILT_IN), 60)
        assert input_size._agreeing_size(lab, np.zeros((1, 3, 200, 300), np.float32)) is None
        assert tried == [(side, side) for side in (256, 128, 64, 512, 1024)]

    def test_nothing_is_noticed_about_sizes_where_the_candidate_cannot_be_run(self) -> None:
        lab = Laboratory(Comparisons(on(Toy()), replace(on(Squares(name="port")), source=None), BUILT_IN), 60)
        assert by_graph(lab, lab.candidate.probability_map) is None
        assert lab.noticed == []
