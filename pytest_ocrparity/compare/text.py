"""Compare what two recognisers read in a line: character by character, spaces and all, and the score.

A greedy text changes only where the best class of a timestep does, and that changes only where the two largest
probabilities are closer than twice the difference of the maps. So whether the maps explain a text is arithmetic.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.compare.characters import dictionary_difference
from pytest_ocrparity.compare.judge import Judged, TextAmounts, judge_empty_texts, judge_text
from pytest_ocrparity.compare.preconditions import (
    comparison_of,
    empty_side_differences,
    missing_preconditions,
    missing_score_differences,
)
from pytest_ocrparity.compare.timesteps import changed_timesteps, timestep_margins
from pytest_ocrparity.comparison import (
    DIFFERENT,
    MATCHES,
    NOT_JUDGEABLE,
    RECORDED,
    Comparison,
    Measure,
    TextFinding,
)
from pytest_ocrparity.contract import ReadsMaps, offered
from pytest_ocrparity.edits import edit_distance
from pytest_ocrparity.stages import TEXT
from pytest_ocrparity.tolerance import EQUAL_MAP_SCORE, Tolerance
from pytest_ocrparity.trace import Recognition, Trace


def compare_text(
    reference: Trace, candidate: Trace, tolerance: Tolerance, maps: Comparison | None = None, *, defers: bool = False
) -> Comparison:
    """Compare the texts of two traces.

    `maps` is the comparison of their maps, where both have one; with `defers`, the run judges the limits of a whole
    run.
    """
    differences = missing_preconditions(reference, candidate, (TEXT,))
    judged = Judged(DIFFERENT, ())
    finding, counts = None, dict[str, int]()
    if reference.recognition is not None and candidate.recognition is not None:
        texts = reference.recognition.text, candidate.recognition.text
        edits = edit_distance(*texts)
        is_borderline = bool(edits) and maps is not None and _do_maps_explain(reference, candidate, maps)
        scores = reference.recognition.score, candidate.recognition.score
        finding = TextFinding(*texts, edits, is_borderline, *scores)
        amounts = TextAmounts(
            edits=edits,
            characters=len(texts[0]),
            is_borderline=is_borderline,
            score=_score_difference(reference.recognition, candidate.recognition),
            exact_score=_exact_score(reference, candidate, maps),
        )
        judged = judge_text(amounts, tolerance.limits, defers=defers)
        if not any(texts):
            if judged.status != DIFFERENT:  # their scores are no others, as the mean of nothing would be
                judged = Judged(judge_empty_texts(tolerance.limits), judged.measures)
            differences += empty_side_differences(TEXT, maps, tolerance)
        differences += missing_score_differences(TEXT, *scores, tolerance)
        counts = _counts(finding, judged)
        judged = Judged(judged.status, (*judged.measures, *_reported(amounts)))
    status = DIFFERENT if differences else judged.status
    if status == DIFFERENT and not differences and maps is not None and maps.status == NOT_JUDGEABLE:
        status = NOT_JUDGEABLE if _do_decoders_agree(reference, candidate) else DIFFERENT
    status = RECORDED if reference.is_recording_of(candidate) else status
    other_dictionary = dictionary_difference(reference, candidate)
    return comparison_of(
        TEXT,
        reference,
        candidate,
        tolerance,
        status=status,
        stage=None if status in MATCHES else differences[0].stage if differences else TEXT,
        measures=judged.measures,
        differences=(*differences, *([] if other_dictionary is None else [other_dictionary])),
        counts=counts,
        texts=finding,
    )


def _do_maps_explain(reference: Trace, candidate: Trace, maps: Comparison) -> bool:
    """Return whether maps that differ within their limit explain that the texts differ.

    The decoders must agree, and each timestep whose best class changed must have had a margin of at most twice the
    limit. Equal maps explain nothing, nor do maps that no limit judges.
    """
    atol, largest, stored = (maps.measure(name) for name in ("probability_maps.atol", "largest", "stored"))
    if not maps.is_match or atol is None or atol.limit is None or largest is None or stored is None:
        return False
    if largest.value <= stored.value or not _do_decoders_agree(reference, candidate):
        return False
    assert reference.probability_map is not None and candidate.probability_map is not None
    found = timestep_margins(reference.probability_map, candidate.probability_map)
    return bool(len(found)) and bool(np.all(found <= 2 * atol.limit))


def _do_decoders_agree(reference: Trace, candidate: Trace, score: float | None = None) -> bool:
    """Return whether each side's decoder that can be run reads each side's text in that side's map; one must run.

    With `score`, it must also give it that side's score within so much.
    """
    decoders = [side for trace in (reference, candidate) if (side := offered(trace.source, ReadsMaps)) is not None]
    read = [_read(side, trace, score) for side in decoders for trace in (reference, candidate)]
    known = [each for each in read if each is not None]
    return bool(known) and len(known) == len(read) and all(known)


def _read(side: ReadsMaps, trace: Trace, score: float | None) -> bool | None:
    """Return whether a side reads a trace's text, and its score, in the trace's map; None where it can't be run."""
    if trace.probability_map is None or trace.recognition is None:
        return None
    try:
        found = side.read_map(np.array(trace.probability_map))  # it may write in place
    except Exception:  # a pipeline of the user's may only trace, or replay: then it explains nothing
        return None
    if not isinstance(found, Recognition) or found.text != trace.recognition.text:
        return False
    if score is None:
        return True
    scores = found.score, trace.recognition.score
    return scores[0] is not None and scores[1] is not None and abs(scores[0] - scores[1]) <= score


def _score_difference(reference: Recognition, candidate: Recognition) -> float | None:
    """Return what the scores of equal texts differ by."""
    if reference.text != candidate.text or reference.score is None or candidate.score is None:
        return None
    return abs(reference.score - candidate.score)


def _exact_score(reference: Trace, candidate: Trace, maps: Comparison | None) -> float | None:
    """Return what the scores may differ by: as much as the maps, where both sides kept the same timesteps.

    Else by anything, if that is what both decoders make of the maps; None where nothing shows it.
    """
    largest, stored = (None if maps is None else maps.measure(name) for name in ("largest", "stored"))
    maps_of: list[npt.NDArray[np.float32] | None] = [reference.probability_map, candidate.probability_map]
    if largest is None or stored is None or maps_of[0] is None or maps_of[1] is None:
        return None
    if len(changed_timesteps(maps_of[0], maps_of[1])):
        within = stored.value + EQUAL_MAP_SCORE
        return 1.0 if _do_decoders_agree(reference, candidate, within) else None
    return largest.value + stored.value + EQUAL_MAP_SCORE


def _counts(finding: TextFinding, judged: Judged) -> dict[str, int]:
    is_changed = any(measure.name == "text.max_changed" and measure.value for measure in judged.measures)
    return {
        "lines": 1,
        "different": int(is_changed),
        "borderline": int(finding.is_borderline),
        "edits": 0 if finding.is_borderline else finding.edits,
        "characters": len(finding.reference),
        "empty": int(not finding.reference and not finding.candidate),
    }


def _reported(amounts: TextAmounts) -> list[Measure]:
    """Return the amounts that nothing judges, and by which the line can be judged again."""
    found = [Measure("cer", amounts.edits / max(1, amounts.characters))]
    found += [Measure("score", amounts.score)] if amounts.score is not None else []
    return found + ([Measure("exact_score", amounts.exact_score)] if amounts.exact_score is not None else [])
