"""The network: another engine or output is named only where it makes the reference's map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import Array, cause_of, on, stopped
from networks import Exported, Trained
from toy import Toy

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.stages import PROBABILITY_MAP


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


@pytest.mark.parametrize("which", ["own", "other", "own stops", "other stops"])
def test_another_engine_that_is_right_by_chance_is_no_cause(which: str) -> None:
    """Its own map is not that of before, or the other engine's is right once alone."""

    def half_or_stop(made: Array) -> Array:
        if which.endswith("stops"):
            raise RuntimeError("raced")
        return np.asarray(made * 0.5, np.float32)

    class Chance(Toy):
        tries = 0

        def infer(self, tensor: Array) -> Array:
            made = super().infer(tensor)
            if which.startswith("own") and self.tries:
                return half_or_stop(made) if which == "own stops" else made
            return np.asarray(made * 0.5, np.float32)

        def other_engines(self) -> Iterator[Alternative]:
            yield Alternative("engine.onednn", "oneDNN off", self.once)

        def once(self, tensor: Array) -> Array:
            self.tries += 1
            made = Toy().infer(tensor)
            return half_or_stop(made) if which.startswith("other") and self.tries > 1 else made

    found = cause_of(on(Toy()), on(Chance(name="port")))
    assert (found.cause, found.stage) == ("engine.not_repeatable", PROBABILITY_MAP)
    assert found.evidence[0].startswith("with oneDNN off, port returned train's map once")
    assert ("(RuntimeError: raced)" in found.evidence[0]) is which.endswith("stops")
    assert found.evidence[1] == "how much of the difference chance explains is not known"


@pytest.mark.parametrize(("stops", "cause"), [(9, "engine.onednn"), (1, "engine.not_repeatable")])
def test_an_engine_is_the_cause_of_a_stop_where_it_stops_each_time(stops: int, cause: str) -> None:
    class Stops(Toy):
        tries = 0

        def infer(self, tensor: Array) -> Array:
            self.tries += 1
            if self.tries <= stops:
                raise RuntimeError("no memory")
            return super().infer(tensor)

        def other_engines(self) -> Iterator[Alternative]:
            yield Alternative("engine.onednn", "oneDNN off", Toy().infer)

    port = Stops(name="port")
    found = cause_of(on(Toy()), replace(stopped(on(Toy(name="port"))), source=port))
    assert found.cause == cause


class Chosen(Exported):
    """Its engine runs by the user's choice, by paddleocr's, and without passes where that does not stop."""

    stops = True

    def other_engines(self) -> Iterator[Alternative]:
        chosen = 'paddleocr\'s own choice in the place of precision = "fp16"'
        yield Alternative("engine.optimization", chosen, self.infer, keeps_passes=True)
        yield Alternative("engine.optimization", "no engine pass", self.without_passes)

    def without_passes(self, tensor: Array) -> Array:
        if self.stops:
            raise RuntimeError("no such operator")
        return self.infer(tensor)


class Bare(Chosen):
    stops = False


@pytest.mark.parametrize(("kind", "cause"), [(Chosen, "unknown"), (Bare, "network.graph")])
def test_what_an_engine_returns_with_its_passes_is_not_taken_for_what_the_program_does(kind: Any, cause: str) -> None:
    found = cause_of(on(Trained()), on(kind(name="port", power=2)))
    assert (found.cause, found.stage) == (cause, PROBABILITY_MAP)
    told = (*found.evidence, *found.ruled_out, *found.tried)
    stops = "engine.optimization: with no engine pass it stops as well (RuntimeError: no such operator)"
    assert (stops in told) is (cause == "unknown")


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


@pytest.mark.parametrize(("offset", "cause"), [(0.2, "network.outputs"), (0.3, "unknown")])
def test_a_map_of_two_channels_is_told_from_another_map(offset: float, cause: str) -> None:
    class TwoChannels(Toy):
        def infer(self, tensor: Array) -> Array:
            made = super().infer(tensor)
            return np.concatenate([1 - made, made - np.float32(offset)], axis=1)

    diagnosis = cause_of(on(Toy()), on(TwoChannels(name="port", offset=0.2)))
    assert diagnosis.cause == cause
    told = "port's map has 2 channels, of which channel 1 (from 0) is train's map"
    assert (diagnosis.summary == told) is (cause != "unknown")
