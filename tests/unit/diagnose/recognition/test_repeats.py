"""A decoder that keeps repeats, all or some, and texts whose letters are doubled by something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from recognisers import Port, causes
from toy_reader import Reader, line

from pytest_ocrparity import Recognition
from pytest_ocrparity.diagnose.recognition.ctc_rules import best_ctc_classes, ctc_map
from pytest_ocrparity.diagnose.recognition.repeats import without_repeats

DOUBLED = line("abba cd", cells=2)
"""Each letter is two timesteps wide, so that repeats show."""


@dataclass
class KeepsSome(Port):
    """Keeps the repeats of one letter alone; `twice` is a letter that a change of its text doubles as well."""

    kept: str = "a"
    twice: str = "#"

    def read_map(self, probability_map: Any) -> Recognition:
        best, scores = probability_map[0].argmax(1), probability_map[0].max(1)
        letters = ["", *self.letters]
        steps = [s for s, c in enumerate(best) if c and (not s or best[s - 1] != c or letters[c] == self.kept)]
        text = "".join(letters[best[step]] for step in steps).replace(self.twice, 2 * self.twice)
        return Recognition(text, float(scores[steps].mean()) if steps else 0.0)


@pytest.mark.parametrize("kept", ["a", "b", "d"])
def test_repeats_that_are_kept_in_part(kept: str) -> None:
    (found,) = causes(Reader(), KeepsSome(kept=kept), DOUBLED)
    assert (found.stage, found.cause) == ("text", "text.duplicates")
    assert found.summary == "inference's decoder keeps some repeats, PaddleOCR's drops repeats and blanks"
    assert found.evidence[1] == "with blanks in the place of repeats, it reads train's text in this map"


def test_repeats_that_are_kept_where_the_network_is_not_certain() -> None:
    class KeepsUncertain(Port):
        def read_map(self, probability_map: Any) -> Recognition:
            best, scores = probability_map[0].argmax(1), probability_map[0].max(1)
            steps = [s for s, c in enumerate(best) if c and (not s or best[s - 1] != c or scores[s] < 0.9)]
            text = "".join(self.letters[best[step] - 1] for step in steps)
            return Recognition(text, float(scores[steps].mean()) if steps else 0.0)

    (found,) = causes(Reader(gain=30.0), KeepsUncertain(gain=30.0), DOUBLED)
    assert found.cause == "text.duplicates"
    told = "its decoder keeps some repeats there, and in maps that are certain of one class it drops them"
    assert found.evidence[0].endswith(f"; {told}")
    (other,) = causes(Reader(), KeepsSome(), DOUBLED)
    assert other.evidence[0].endswith("; so it does in maps made for this: its decoder keeps some repeats")


@pytest.mark.parametrize(
    "wrong", [{"kept": "#", "twice": "c"}, {"kept": "a", "twice": "c"}, {"kept": "a", "letters": "abdc "}]
)
def test_letters_that_are_doubled_by_more_than_repeats(wrong: dict[str, Any]) -> None:
    assert "text.duplicates" not in [each.cause for each in causes(Reader(), KeepsSome(**wrong), DOUBLED)]


def test_a_map_without_repeats_has_blanks_in_their_place() -> None:
    right = ctc_map([1, 1, 1, 0, 1, 2, 2], 4) * 0.9 + 0.025
    made = without_repeats(right)
    assert best_ctc_classes(made) == [1, 0, 0, 0, 1, 2, 0]
    assert np.array_equal(made[0, [0, 3, 4, 5]], right[0, [0, 3, 4, 5]])
