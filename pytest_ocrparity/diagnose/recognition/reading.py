"""Examines the decoder: the candidate's, run by itself on the reference's map, must read what the reference read.

Where it does not, both decoders are asked what they read in maps that are certain of one class. What differs is a cause
if a decoder that does so, and nothing else, reads what the candidate reads: in both maps of this line, and in others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from pytest_ocrparity.artifacts.model_files import CONFIG
from pytest_ocrparity.compare.characters import dictionary_difference
from pytest_ocrparity.compare.text import compare_text
from pytest_ocrparity.contract import NamesDictionary
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.network.weights import has_exported_weights
from pytest_ocrparity.diagnose.recognition import character_lists
from pytest_ocrparity.diagnose.recognition.ctc_rules import (
    KEPT_IN_PART,
    NEAR,
    PLAIN_ORDERS,
    REPEATS,
    Map,
    Measured,
    Order,
    Rule,
    best_ctc_classes,
    ctc_map,
    ctc_probes,
    fitting_ctc_scores,
    kept_ctc_steps,
    measure_ctc_decoder,
    predicted_ctc_text,
)
from pytest_ocrparity.diagnose.recognition.decoder import Decoder, decoder_difference_text, decoder_of
from pytest_ocrparity.diagnose.recognition.repeats import keeps_some, repeats_cause
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.dictionary_lines import dictionaries_text
from pytest_ocrparity.stages import PROBABILITY_MAPS, TEXT
from pytest_ocrparity.trace import Recognition
from pytest_ocrparity.wording import quoted

MOST_CLASSES: Final = 120
"""Most classes of a line that decoders are asked about; a line of 80 characters has about 40."""


def examine_reading(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes why the candidate's decoder reads other text, or gives it another score, in the same map."""
    reference, candidate = lab.reference, lab.candidate
    right = reference.probability_map
    if right is None or reference.recognition is None or right.ndim != 3 or right.shape[0] != 1:
        return []
    is_stopped = candidate.error is not None and candidate.error.stage == TEXT
    if candidate.recognition is None and not is_stopped:
        return []
    own = decoder_of(lab, candidate)
    if own is None:
        return _examine_recorded_text(lab)
    if (changed := _changed_afterwards(lab, own)) is not None:
        return [changed]
    if candidate.probability_map is not None and candidate.probability_map.shape[2:] != right.shape[2:]:
        return []  # its decoder is made for another number of classes; the network is examined
    read = own.read(right)
    if read is not None and read.text == reference.recognition.text:
        read_alike = "given {0}'s map, {1}'s decoder reads {0}'s text".format(*lab.names)
        differs = dictionary_difference(reference, candidate)
        if differs is None:
            # In a map of other classes its characters may be others than the reference's.
            is_shown = candidate.probability_map is None or _reads_the_same_there(lab)
            (lab.ruled_out if is_shown else lab.tried).append(f"text.dictionary: {read_alike}")
        else:
            lab.noticed.append(f"{dictionaries_text(differs, *lab.names)}, and {read_alike}")
        return _examine_score(lab, own, read)
    found = _causes_of_text(lab, own, None if read is None else read.text)
    if found and not _reads_the_same_again(own, read):
        lab.reset_notes()
        text = f"{lab.names.candidate}'s decoder reads the same map otherwise when it is asked again"
        return [lab.unknown_cause(TEXT, text)]
    if found:
        lab.reset_notes()
        return found
    what = f"it stops ({lab.last_error})" if read is None else f"it reads {quoted(read.text)}"
    lab.noticed.append(f"given {lab.names.reference}'s map, {lab.names.candidate}'s decoder is at fault: {what}")
    return [lab.unknown_cause(TEXT)]


def _reads_the_same_again(own: Decoder, read: Recognition | None) -> bool:
    """Return whether, after all that it was asked, the decoder still reads what it read in both maps."""
    right, candidate = own.lab.reference.probability_map, own.lab.candidate
    assert right is not None, "it was read"
    if own.text(right) != (None if read is None else read.text):
        return False
    if candidate.probability_map is None or candidate.recognition is None:
        return True
    return own.text(candidate.probability_map) == candidate.recognition.text


def _reads_the_same_there(lab: Laboratory) -> bool:
    """Return whether the reference's decoder reads the candidate's text in the candidate's own map."""
    right, candidate = decoder_of(lab, lab.reference), lab.candidate
    if right is None or candidate.probability_map is None or candidate.recognition is None:
        return False
    return right.text(candidate.probability_map) == candidate.recognition.text


def _changed_afterwards(lab: Laboratory, own: Decoder) -> Diagnosis | None:
    """Return the diagnosis of a text that is not what the candidate's own decoder reads in its own map."""
    candidate = lab.candidate
    if candidate.probability_map is None or candidate.recognition is None:
        return None
    read = own.text(candidate.probability_map)
    if read == candidate.recognition.text:
        return None
    name = lab.names.candidate
    what = "stops at its own map" if read is None else f"reads {quoted(read)} in its own map"
    lab.noticed.append(f"{name}'s decoder, run by itself, {what}, and {name} returned another text")
    return lab.unknown_cause(TEXT, f"something changes what {name} reads, or {name} read another map")


def _examine_recorded_text(lab: Laboratory) -> list[Diagnosis]:
    """Return what is known of a decoder that can't be run: it is at fault where the maps agree and the texts do not."""
    if lab.candidate.probability_map is None or not lab.maps_agree:
        lab.not_tried.append(f"the decoder of {lab.names.candidate}, which can't be run by itself")
        return []
    judged = lab.comparisons.of(TEXT)
    if judged.is_match or not (
        any(each.fails for each in judged.differences) or any(measure.fails for measure in judged.measures)
    ):
        return []
    lab.not_tried.append(
        f"{lab.names.reference}'s map through the decoder of {lab.names.candidate}, which can't be run"
    )
    return [lab.unknown_cause(TEXT, "the maps agree, and the texts do not")]


@dataclass
class Decoders:
    """Both decoders as they were measured, and what the candidate's must be explained by.

    Attributes:
        right, own: the reference's and the candidate's characters by class.
        rule: the reference's.
        orders: every order that is known, by name.
        shown: classes of timesteps, with what the candidate reads in them; None where it stops.
    """

    right: Mapping[int, str]
    own: Measured
    rule: Rule
    orders: Mapping[str, Order]
    shown: Sequence[tuple[Sequence[int], str | None]]

    def explains(self, rule: Rule, characters: Mapping[int, str], *, first: bool = False) -> bool:
        """Return whether a decoder that does so reads what the candidate reads; with `first`, in this line alone."""
        shown = self.shown[:1] if first else self.shown
        return all(predicted_ctc_text(best, rule, characters, self.orders) == text for best, text in shown)

    @cached_property
    def moved(self) -> Mapping[int, str]:
        """The reference's characters as they lie where the blank is the candidate's: moved up to it, or in place."""
        blank, last = self.own.blank, max(self.right, default=0)
        if blank == self.rule.blank:
            return self.right
        end = last if blank is None else blank
        moved = {each: self.right[each + 1] for each in range(end) if each + 1 in self.right}
        moved |= {each: text for each, text in self.right.items() if each > end}
        # What it prints where the reference has its blank is part of that fault, and of no list.
        in_place = {**self.right, 0: self.own.characters.get(0, "")}
        return min((moved, in_place), key=self._count_others)

    def _count_others(self, characters: Mapping[int, str]) -> int:
        return sum(text != characters.get(each, text) for each, text in self.own.characters.items())


def _causes_of_text(lab: Laboratory, own: Decoder, read: str | None) -> list[Diagnosis]:
    """Return the causes that explain what the candidate's decoder reads; nothing where no or no single rule does."""
    measured = _measured(lab, own, read)
    if measured is None:
        return []
    rules = _fitting_rules(measured)
    if not rules and measured.rule == Rule() and keeps_some(own, measured.right, measured.shown):
        return [repeats_cause(own, KEPT_IN_PART)]
    if not rules:
        lab.tried.append("text: no other list, blank, treatment of repeats or order of the characters explains it")
        return []
    found: list[Diagnosis] = []
    rule, base = rules[0], measured.rule
    own_characters, right = measured.own.characters, measured.right
    if rule.blank != base.blank and not measured.explains(rule._replace(blank=base.blank), right, first=True):
        found.append(_blank_cause(lab, own, measured))
    if rule.repeats != base.repeats and not measured.explains(
        rule._replace(repeats=base.repeats), own_characters, first=True
    ):
        found.append(repeats_cause(own, rule.repeats))
    is_in_order = measured.explains(rule._replace(order=base.order), own_characters, first=True)
    if rule.order != base.order and not is_in_order:
        names = [each.order for each in rules if each._replace(order=rule.order) == rule]
        found.append(_order_cause(lab, base.order, names))
    if not measured.explains(rule, measured.moved, first=True):
        other = _dictionary_cause(lab, own, measured)
        if other is None and found:
            lab.noticed.append(f"beside that, {lab.names.candidate}'s decoder returns other characters")
            other = lab.unknown_cause(TEXT)
        found += [] if other is None else [other]
    return found


def _measured(lab: Laboratory, own: Decoder, read: str | None) -> Decoders | None:
    """Ask both decoders for their characters of this line's classes; None where that does not say what they do."""
    reference, right = lab.reference, lab.reference.probability_map
    side = decoder_of(lab, reference)
    assert right is not None and reference.recognition is not None
    if side is None:
        return _measured_by_recording(lab, own, read)
    best, count = best_ctc_classes(right), right.shape[2]
    asked = {*best, *(each + 1 for each in best if each + 1 < count)}
    asked |= set() if lab.candidate.probability_map is None else {*best_ctc_classes(lab.candidate.probability_map)}
    asked |= {each for each in character_lists.differing_classes(lab) if each < count}
    if len(asked) > MOST_CLASSES:
        asked = set(sorted(asked & {*best} or asked)[:MOST_CLASSES])
    two = measure_ctc_decoder(side.read, asked, count), measure_ctc_decoder(own.read, asked, count)
    orders = {**PLAIN_ORDERS, **side.orders, **own.orders}
    if not all(each.is_steady for each in two) or two[0].blank != 0 or two[0].refused:
        lab.tried.append("text: a class is read otherwise alone than between others, so its character is not known")
        return None
    shown: list[tuple[Sequence[int], str | None]] = [(best, read)]
    if lab.candidate.probability_map is not None:
        its = best_ctc_classes(lab.candidate.probability_map)
        shown += [(its, own.text(lab.candidate.probability_map))] if {*its} <= two[1].characters.keys() else []
    made = [(each, ctc_map(each, count)) for each in ctc_probes([each for each in best if each in two[1].characters])]
    shown += [(each, own.text(probe)) for each, probe in made]
    stated = reference.parameters.get(TEXT, {}).get("reorders")
    base = sorted((Rule(order=name) for name in orders), key=lambda rule: rule.order != stated)
    expected = [(best, reference.recognition.text), *((each, side.text(probe)) for each, probe in made)]
    fitting = [
        rule
        for rule in base
        if all(predicted_ctc_text(each, rule, two[0].characters, orders) == text for each, text in expected)
    ]
    if not fitting:
        lab.tried.append(f"text: {lab.names.reference}'s own decoder follows no rule that is known")
        return None
    return Decoders(two[0].characters, two[1], fitting[0], orders, shown)


def _measured_by_recording(lab: Laboratory, own: Decoder, read: str | None) -> Decoders | None:
    """Take the reference's characters from its recorded text; None where that does not say which class is which.

    It says so where the text has a character for each timestep that PaddleOCR's rule keeps, and the two sides state
    other dictionaries and the same order: a text alone does not tell another list from another order.
    """
    reference, right = lab.reference, lab.reference.probability_map
    assert right is not None and reference.recognition is not None
    stated = [trace.parameters.get(TEXT, {}) for trace in (reference, lab.candidate)]
    best, text = best_ctc_classes(right), reference.recognition.text
    classes = [best[step] for step in kept_ctc_steps(best, Rule())]
    characters = dict(zip(classes, text, strict=False))
    is_stated = dictionary_difference(reference, lab.candidate) is not None
    is_aligned = len(classes) == len(text) and "".join(characters[each] for each in classes) == text
    if not is_stated or not is_aligned or stated[0].get("reorders") != stated[1].get("reorders"):
        lab.not_tried.append(f"text: the decoder of {lab.names.reference}, which can't be run by itself")
        return None
    measured = measure_ctc_decoder(own.read, {*best}, right.shape[2])
    if not measured.is_steady:
        return None
    made = [(each, ctc_map(each, right.shape[2])) for each in ctc_probes([c for c in best if c in measured.characters])]
    shown: list[tuple[Sequence[int], str | None]] = [(best, read), *((each, own.text(probe)) for each, probe in made)]
    return Decoders(characters, measured, Rule(), {**PLAIN_ORDERS, **own.orders}, shown)


def _fitting_rules(measured: Decoders) -> list[Rule]:
    """Return the rules that explain all that the candidate reads, those nearest to the reference's first."""
    base, blank = measured.rule, measured.own.blank
    known = set(measured.own.characters)
    names = [base.order, *(name for name in measured.orders if name != base.order)]
    rules = [Rule(blank, repeats, order) for repeats in REPEATS for order in names]
    shown = [(best, text) for best, text in measured.shown if {*best} <= known]
    stopped = [(best, text) for best, text in measured.shown if not {*best} <= known]
    if not shown or any(text is not None for _, text in stopped):
        return []
    part = replace(measured, shown=shown)
    fitting = [rule for rule in rules if part.explains(rule, measured.own.characters)]
    # Of a text that is the same in several orders the one of the reference is taken; of causes there must be one.
    same = [rule for rule in fitting if rule.order == base.order] or fitting
    if len({rule.repeats for rule in same}) > 1:
        return [rule for rule in same if rule.repeats == base.repeats]
    return same


def _blank_cause(lab: Laboratory, own: Decoder, measured: Decoders) -> Diagnosis:
    right, blank, candidate = lab.reference.probability_map, measured.own.blank, lab.names.candidate
    assert right is not None
    where = "has no blank" if blank is None else f"takes class {blank} of {right.shape[2]} for the blank"
    proof = [f"{decoder_difference_text(own)}; asked class by class, {candidate}'s decoder {where}"]
    if blank is not None:
        order = [*range(1, blank + 1), 0, *range(blank + 1, right.shape[2])]
        text = own.text(np.ascontiguousarray(right[..., order]))
        if lab.reference.recognition is not None and text == lab.reference.recognition.text:
            proof.append(f"with class 0 of the map moved to place {blank}, it reads {lab.names.reference}'s text")
    fix = f"in {candidate}'s decoder, take class 0 for the blank, and the first line of the dictionary for class 1"
    summary = f"{candidate}'s decoder {where}, and PaddleOCR's class 0"
    return lab.proven_cause(TEXT, "text.blank", summary, proof, fix)


def _order_cause(lab: Laboratory, right: str, orders: Sequence[str]) -> Diagnosis:
    reference, candidate = lab.names
    names = " or ".join(dict.fromkeys(orders))
    own = decoder_of(lab, lab.candidate)
    assert own is not None
    proof = f"{decoder_difference_text(own)}; so it does in maps made for this: its characters, {names}, are its text"
    fix = (
        "PaddleOCR reverses texts where 'arabic' stands in the dictionary's path, and paddleocr 3.x reorders them "
        "where the model is called arabic_PP-OCRv3_mobile_rec or arabic_PP-OCRv5_mobile_rec: give both names or "
        f"neither, or reorder {candidate}'s texts as {reference} does: {right}"
    )
    summary = f"{candidate} returns the characters of a text {names}, {reference} {right}"
    return lab.proven_cause(TEXT, "text.direction", summary, [proof], fix)


def _dictionary_cause(lab: Laboratory, own: Decoder, measured: Decoders) -> Diagnosis | None:
    """Return another list of characters as the cause; None where the lists are equal, or a change of texts does it."""
    right = {each: text for each, text in measured.moved.items() if each != measured.own.blank}
    found = character_lists.difference(lab, right, measured.own)
    if found is None:
        return None
    candidate = lab.names.candidate
    proof = [
        f"{decoder_difference_text(own)}; asked class by class, its decoder returns {found.substitution}",
        *found.evidence,
    ]
    # To export again is no fix: the tool may read the file otherwise than the training, which is how some lists differ.
    place = lab.ask(lab.candidate, NamesDictionary, lambda side: side.dictionary_place)
    where = f", in {place}" if place else ""
    if not place and has_exported_weights(lab):
        where = f", in PostProcess.character_dict of {CONFIG}"
    return lab.proven_cause(TEXT, found.cause, found.summary.format(candidate=candidate), proof, f"{found.fix}{where}")


def _examine_score(lab: Laboratory, own: Decoder, read: Recognition) -> list[Diagnosis]:
    """Return another formula of the score as the cause, where the candidate's decoder reads the same text."""
    reference, right = lab.reference, lab.reference.probability_map
    assert reference.recognition is not None and right is not None
    wanted = reference.recognition.score
    if wanted is None or read.score is None or lab.comparisons.of(TEXT).is_match:
        return []
    if abs(wanted - read.score) <= NEAR or _is_within(lab, read):
        return []
    maps = [each for each in (right, lab.candidate.probability_map) if each is not None]
    maps += [_softened(right, step) for step in (3, 5)]
    made = [(each, found.score) for each in maps if (found := own.read(each)) is not None and found.score is not None]
    fitting = fitting_ctc_scores(made) if len(made) == len(maps) else []
    given = f"given {lab.names.reference}'s map, {lab.names.candidate}'s decoder reads its text at {read.score:.4f}, "
    given += f"where {lab.names.reference} gives it {wanted:.4f}"
    usual = fitting_ctc_scores([(right, wanted)])
    if len(fitting) != 1 or not usual or fitting[0] is usual[0]:
        lab.noticed.append(given)
        lab.tried.append("text.score: no single formula of the probabilities makes its scores")
        return [lab.unknown_cause(TEXT, "the decoder gives the same text another score")]
    formula = fitting[0].text
    proof = f"{given}; {formula} makes this score and those of {len(made) - 1} other maps"
    fix = f"in {lab.names.candidate}'s decoder, take {usual[0].text} for the score"
    lab.reset_notes()
    return [lab.proven_cause(TEXT, "text.score", f"{lab.names.candidate}'s score is {formula}", [proof], fix)]


def _is_within(lab: Laboratory, read: Recognition) -> bool:
    """Return whether a recognition in the reference's map keeps the limits that judged the two sides."""
    right = lab.reference.probability_map
    made = replace(lab.candidate, probability_map=right, recognition=read, error=None)
    return compare_text(lab.reference, made, lab.tolerance, lab.comparisons.of(PROBABILITY_MAPS)).is_match


def _softened(probability_map: Map, step: int) -> Map:
    """Return a map with the same best classes, and other probabilities at each timestep."""
    count = probability_map.shape[2]
    weights = (0.5 + 0.4 * ((np.arange(probability_map.shape[1]) * step) % 7) / 7)[None, :, None]
    best = ctc_map(best_ctc_classes(probability_map), count)
    return np.asarray(best * weights + (1 - best) * (1 - weights) / max(1, count - 1), np.float32)
