"""What a decoder does with timesteps that repeat the class of the one before, as a cause of what it reads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np

from pytest_ocrparity.diagnose.recognition.ctc_rules import (
    DROPPED,
    KEPT,
    KEPT_IN_PART,
    Map,
    best_ctc_classes,
    ctc_map,
    ctc_probes,
)
from pytest_ocrparity.diagnose.recognition.decoder import Decoder, decoder_difference_text
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import TEXT


def without_repeats(probability_map: Map) -> Map:
    """Return a map with a blank that is certain in the place of each timestep whose best class is that before it."""
    best = best_ctc_classes(probability_map)
    again = [step for step in range(1, len(best)) if best[step] == best[step - 1]]
    single = np.array(probability_map)
    single[0, again] = ctc_map([0], probability_map.shape[2])[0]
    return single


def keeps_some(own: Decoder, characters: Mapping[int, str], shown: Sequence[tuple[Sequence[int], str | None]]) -> bool:
    """Return whether a decoder keeps some of the repeats, whichever these are, and does nothing else otherwise.

    In each map it reads what PaddleOCR's rule makes, with no more of a character than it has timesteps; without the
    repeats it reads what that rule makes, which no change of texts would see.

    Args:
        own: the decoder.
        characters: by class, which are those of both sides.
        shown: classes of timesteps, with what the decoder reads in them; the first are those of the reference's map.
    """
    right, reference = own.lab.reference.probability_map, own.lab.reference.recognition
    if right is None or reference is None or own.text(without_repeats(right)) != reference.text:
        return False
    for best, text in shown:
        runs = [(each, len(list(steps))) for each, steps in itertools.groupby(best) if each]
        if text is None or any(each not in characters for each, _ in runs):
            return False
        pattern = "".join(f"(?:{re.escape(characters[each])}){{1,{count}}}" for each, count in runs)
        once = "".join(characters[each] for each, _ in runs)
        if re.fullmatch(pattern, text) is None or own.text(without_repeats(ctc_map(best, right.shape[2]))) != once:
            return False
    return True


def _keeps_certain_repeats(own: Decoder, right: Map) -> bool:
    """Return whether a decoder keeps repeats in a map that is certain of one class at each timestep."""
    made = [ctc_map(each, right.shape[2]) for each in ctc_probes(best_ctc_classes(right))]
    return any(own.text(each) != own.text(without_repeats(each)) for each in made)


def repeats_cause(own: Decoder, repeats: str) -> Diagnosis:
    """Return what a decoder does with repeats as the cause of what it reads."""
    lab = own.lab
    right, candidate = lab.reference.probability_map, lab.names.candidate
    assert right is not None and lab.reference.recognition is not None
    in_made = f"so it does in maps made for this: its decoder {repeats}"
    if repeats == KEPT_IN_PART and not _keeps_certain_repeats(own, right):
        in_made = f"its decoder {repeats} there, and in maps that are certain of one class it drops them"
    proof = [f"{decoder_difference_text(own)}; {in_made}"]
    if repeats in (KEPT, KEPT_IN_PART) and own.text(without_repeats(right)) == lab.reference.recognition.text:
        proof.append(f"with blanks in the place of repeats, it reads {lab.names.reference}'s text in this map")
    fix = f"in {candidate}'s decoder, compare each timestep with the one before it, drop it if both are of one class, "
    fix += "and only then drop the blanks"
    return lab.proven_cause(
        TEXT, "text.duplicates", f"{candidate}'s decoder {repeats}, PaddleOCR's {DROPPED}", proof, fix
    )
