"""How a decoder reads a map, as it shows when it runs: its character of each class, its blank, repeats, order, score.

Nothing of a decoder is looked into. It is given maps that hold one class at each timestep, and what it reads in them
says what it does; a rule that is found so must predict every map that is asked after.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.trace import Recognition

Map: TypeAlias = "npt.NDArray[Any]"
Read: TypeAlias = Callable[[Map], "Recognition | None"]
Order: TypeAlias = Callable[[str], str]

DROPPED: Final = "drops repeats and blanks"
KEPT: Final = "keeps repeats"
KEPT_IN_PART: Final = "keeps some repeats"
ACROSS: Final = "drops blanks first, and then repeats"
REPEATS: Final = (DROPPED, KEPT, ACROSS)
"""How a decoder may treat timesteps of the same class; the first is CTC's greedy rule, that of PaddleOCR."""

AS_IT_IS: Final = "as it is read"
REVERSED: Final = "reversed"
PLAIN_ORDERS: Final[Mapping[str, Order]] = {AS_IT_IS: lambda text: text, REVERSED: lambda text: text[::-1]}
"""Orders of the characters of a text that need nobody's code."""

ANCHORS: Final = 2
"""How many classes a character is read between, one after the other; it must be the same each time."""


class Rule(NamedTuple):
    """What a decoder does but for its characters. `blank` is a class, or None where every class is a character."""

    blank: int | None = 0
    repeats: str = DROPPED
    order: str = AS_IT_IS


def best_ctc_classes(probability_map: Map) -> list[int]:
    """Return the best class of each timestep of a (1, T, C) map."""
    return [int(each) for each in probability_map[0].argmax(-1)]


def kept_ctc_steps(best: Sequence[int], rule: Rule) -> list[int]:
    """Return the timesteps whose characters a rule keeps."""
    steps = [step for step, each in enumerate(best) if each != rule.blank]
    if rule.repeats == KEPT:
        return steps
    if rule.repeats == ACROSS:
        return [step for index, step in enumerate(steps) if not index or best[step] != best[steps[index - 1]]]
    return [step for step in steps if not step or best[step] != best[step - 1]]


def predicted_ctc_text(
    best: Sequence[int], rule: Rule, characters: Mapping[int, str], orders: Mapping[str, Order]
) -> str | None:
    """Return the text that a rule makes of classes; None where the character of one of them is not known."""
    classes = [best[step] for step in kept_ctc_steps(best, rule)]
    if any(each not in characters for each in classes):
        return None
    return orders[rule.order]("".join(characters[each] for each in classes))


def ctc_map(classes: Sequence[int], count: int) -> Map:
    """Return a (1, T, C) map that is certain of one class at each timestep."""
    made = np.zeros((1, len(classes), count), np.float32)
    made[0, np.arange(len(classes)), list(classes)] = 1
    return made


def ctc_probes(classes: Sequence[int]) -> list[list[int]]:
    """Return classes of timesteps at which the rules differ, with repeats, blanks between, and each order another."""
    found = [each for each in dict.fromkeys(classes) if each != 0][:6]
    if not found:
        return []
    doubled = list(itertools.chain.from_iterable((each, each) for each in found))
    apart = list(itertools.chain.from_iterable((each, 0, each, 0, 0) for each in found))
    return [[*found, 0], [0, *doubled], apart, [*doubled, 0, *found, 0]]


class Measured(NamedTuple):
    """What a decoder reads in classes.

    Attributes:
        characters: its character of each class that was asked for; "" for one that it reads nothing in.
        blanks: the classes in which it reads nothing, wherever they stand.
        refused: the classes at which it stops, such as those behind the end of its list.
        is_steady: whether a class has the same character alone and between others.
    """

    characters: Mapping[int, str]
    blanks: frozenset[int]
    refused: frozenset[int]
    is_steady: bool

    @property
    def blank(self) -> int | None:
        """The class that it takes for the blank: 0 if it can be, else the only other one; None where there is none."""
        return 0 if 0 in self.blanks else min(self.blanks, default=None)


def measure_ctc_decoder(read: Read, classes: Iterable[int], count: int) -> Measured:
    """Ask a decoder for its characters.

    Args:
        read: runs it on a map; None where it stops.
        classes: those that are asked for; the first and the last of all are always.
        count: how many classes the maps have.
    """
    asked = sorted({0, count - 1, *classes})
    alone = {each: read(ctc_map([each], count)) for each in asked}
    refused = frozenset(each for each, found in alone.items() if found is None)
    texts = {each: found.text for each, found in alone.items() if found is not None}
    blanks = frozenset(each for each, text in texts.items() if not text)
    blank = 0 if 0 in blanks else min(blanks, default=None)
    is_steady = True
    for each, text in texts.items():
        for anchor in [other for other in texts if other != each and texts[other]][:ANCHORS]:
            apart = [] if blank is None else [blank]
            found = read(ctc_map([anchor, *apart, each, *apart, anchor], count))
            # A blank between two of the same class keeps both; some rules drop the second.
            wanted = {texts[anchor] + text + texts[anchor], *([texts[anchor]] if not text else [])}
            is_steady &= found is not None and found.text in wanted
    return Measured(texts, blanks, refused, is_steady)


class Score(NamedTuple):
    """A formula of a text's score: how it is said, and what makes it of a map and the timesteps that are kept."""

    text: str
    of: Callable[[npt.NDArray[np.float64], Sequence[int], Sequence[int]], float]


def _runs(best: Sequence[int], steps: Sequence[int]) -> list[range]:
    """Return, for each kept timestep, those of the same class from it on."""
    found = []
    for step in steps:
        end = step
        while end < len(best) and best[end] == best[step]:
            end += 1
        found.append(range(step, end))
    return found


SCORES: Final = (
    Score("the mean over the characters, each by its first timestep", lambda p, b, s: float(p[list(s)].mean())),
    Score("the product over the characters", lambda p, b, s: float(p[list(s)].prod())),
    Score("the least of the characters", lambda p, b, s: float(p[list(s)].min())),
    Score("the largest of the characters", lambda p, b, s: float(p[list(s)].max())),
    Score("the geometric mean over the characters", lambda p, b, s: float(np.exp(np.log(p[list(s)]).mean()))),
    Score(
        "the mean over the characters, each by its largest timestep",
        lambda p, b, s: float(np.mean([p[list(run)].max() for run in _runs(b, s)])),
    ),
    Score(
        "the mean over the characters, each by its last timestep",
        lambda p, b, s: float(np.mean([p[run[-1]] for run in _runs(b, s)])),
    ),
    Score(
        "the mean over the characters, each by the mean of its timesteps",
        lambda p, b, s: float(np.mean([p[list(run)].mean() for run in _runs(b, s)])),
    ),
    Score(
        "the mean over all timesteps of characters, repeats too",
        lambda p, b, s: float(np.concatenate([p[list(run)] for run in _runs(b, s)]).mean()),
    ),
    Score("the mean over all timesteps, blanks too", lambda p, b, s: float(p.mean())),
    Score("the sum over the characters", lambda p, b, s: float(p[list(s)].sum())),
)
"""Formulas of ports; the first is PaddleOCR's."""

NEAR: Final = 1e-5
"""Within which a formula makes a score: float32 means of a hundred values are within 1e-6 of each other."""


def fitting_ctc_scores(found: Sequence[tuple[Map, float]]) -> list[Score]:
    """Return the formulas that make every score of its map, none of which may have no text."""
    fitting = []
    for score in SCORES:
        made = []
        for probability_map, _ in found:
            best = best_ctc_classes(probability_map)
            steps = kept_ctc_steps(best, Rule())
            values = np.asarray(probability_map[0].max(-1), np.float64)
            made.append(score.of(values, best, steps) if steps else 0.0)
        if all(abs(own - right) <= NEAR for own, (_, right) in zip(made, found, strict=True)):
            fitting.append(score)
    return fitting
