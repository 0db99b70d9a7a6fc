"""A run of many lines: a cause is shown again on each, and what explains nothing is not looked for without end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from recognisers import Port, Resizes, traced
from toy_reader import Reader, line

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN

TEXTS = ("abba cd", "dab", "cc ba", "add", "bad cab", "dad")


def run(reference: Reader, candidate: Reader, announced: list[str] | None = None) -> list[tuple[Diagnosis, ...]]:
    """Return the diagnoses of a run of lines."""
    cache = DiagnosisCache(60, announce=(announced if announced is not None else []).append)
    found = []
    for text in TEXTS:
        image = line(text, cells=2)
        one, two = (replace(traced(side, image), image=f"{text}.png") for side in (reference, candidate))
        found.append(cache.diagnose(Comparisons(one, two, BUILT_IN)))
    return found


def test_another_dictionary_is_named_on_every_line_with_what_it_reads_there() -> None:
    announced: list[str] = []
    found = run(Reader(), Port(letters="bacd "), announced)
    assert [[each.cause for each in line] for line in found] == [["text.dictionary"]] * len(TEXTS)
    assert "where train reads 'dad'" in found[-1][0].evidence[0]
    assert announced == ["abba cd.png", "dab.png", "cc ba.png"]


class OtherEngine(Port):
    """Its engine errs, and it can be run otherwise."""

    loads = 0

    def infer(self, tensor: Any) -> Any:
        return np.roll(super().infer(tensor), 1, axis=2)

    def other_engines(self) -> Any:
        self.loads += 1
        yield Alternative("engine.onednn", "oneDNN off", super().infer)


def test_the_cause_of_a_map_is_shown_again_and_its_engines_are_loaded_once() -> None:
    side = OtherEngine()
    found = run(Reader(), side)
    assert [[each.cause for each in line] for line in found] == [["engine.onednn"]] * len(TEXTS)
    assert side.loads == 1
    told = "found on abba cd.png; here as well the map differs, and the same experiment explains it"
    assert found[0][0].evidence != (told,) and found[1][0].evidence == found[5][0].evidence == (told,)


class ErrsOnSome(OtherEngine):
    """On lines with a c it errs otherwise, and no other engine is right there."""

    def infer(self, tensor: Any) -> Any:
        right = Port.infer(self, tensor)
        return np.sqrt(right) if (right[..., 3] > 0.5).any() else np.roll(right, 1, axis=2)


def test_a_cause_that_a_line_does_not_show_is_not_named_there() -> None:
    class Side(ErrsOnSome):
        def other_engines(self) -> Any:
            self.loads += 1
            yield Alternative("engine.onednn", "oneDNN off", lambda given: self.once(given))

        def once(self, given: Any) -> Any:
            right = Port.infer(self, given)
            return np.sqrt(right) if (right[..., 3] > 0.5).any() else right

    found = run(Reader(), Side())
    named = [[each.cause for each in line] for line in found]
    assert named == [["engine.onednn"] if "c" not in text else [UNKNOWN] for text in TEXTS]


def test_what_explains_nothing_is_looked_for_on_three_lines() -> None:
    class Unknown(Port):
        def infer(self, tensor: Any) -> Any:
            self.runs += 1
            return np.sqrt(super().infer(tensor))

    found = run(Reader(), Unknown())
    assert all(line[0].stage == "probability_map" and line[0].cause == UNKNOWN for line in found)
    told = "experiments with the network on this line; those on abba cd.png, dab.png, cc ba.png explained nothing"
    assert [told in line[0].not_tried for line in found] == [False] * 3 + [True] * 3


def test_a_narrow_line_has_not_the_cause_of_a_wide_one() -> None:
    found = run(Resizes(name="train", rule="squeezed", base_width=96), Resizes(base_width=96))
    named = [[each.cause for each in line if each.stage == "resize"] for line in found]
    assert named == [["resize.width"] if len(text) * 24 > 96 else [] for text in TEXTS]


def test_texts_of_one_map_are_told_apart() -> None:
    """A trace with another text is another trace."""
    cache = DiagnosisCache(60)
    reference, candidate = traced(Reader()), traced(Port())
    assert candidate.recognition is not None
    assert cache.diagnose(Comparisons(reference, candidate, BUILT_IN)) == ()
    other = replace(candidate, recognition=replace(candidate.recognition, text="other"))
    (found,) = cache.diagnose(Comparisons(reference, other, BUILT_IN))
    assert (found.stage, found.cause) == ("text", UNKNOWN)


def test_whether_a_program_is_of_reduced_precision_is_read_once_for_all_lines() -> None:
    read: list[str] = []

    class Reads(Port):
        def quantised_program(self) -> None:
            read.append("quantised")

        def half_program(self) -> None:
            read.append("half")

    found = run(Reader(), Reads(noise=0.05))
    assert [[each.cause for each in line] for line in found] == [[UNKNOWN]] * len(TEXTS)
    assert read == ["quantised", "half"]
