"""Varies the reference's own post-process until it makes exactly the candidate's boxes of the candidate's map.

It finds the cause in a candidate that does not report its values, or can't be run with others. All rules are tried: a
cause is stated where no rival of another cause is left, on this image and on those that were tried before in this run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.installed import InstalledPostprocess
from pytest_ocrparity.compare.parameter_differences import parameters_agree
from pytest_ocrparity.contract import PostprocessesWith, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing.combinations import LEAST, combinations_of_values, has_scores
from pytest_ocrparity.diagnose.postprocessing.equality import Page, are_equal, indices_of_equal_boxes
from pytest_ocrparity.diagnose.postprocessing.rule_table import CAUSES, MAPS, RIVALS, UNCLIP, fix_of_rule
from pytest_ocrparity.diagnose.postprocessing.rules import (
    COARSE,
    SAME_BOXES,
    Bench,
    Choice,
    Cut,
    Read,
    Rule,
    Searched,
    Span,
    roundest_rule_value,
)
from pytest_ocrparity.diagnose.postprocessing.small_boxes import PROBE, map_of_small_boxes
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections, Shape, Trace
from pytest_ocrparity.wording import number_of_images

CHANCES: Final = 2000
"""In how many ways a page must permit to drop so many of its boxes, before the one rule that drops just these counts:
of two dozen rules one does so by chance on one page in a hundred."""
FEWEST_CHANGED: Final = 3
"""Fewest boxes that must differ before a value counts that no other map confirms."""

Fit = tuple[Rule, Span]


def by_known_values(lab: Laboratory) -> list[Diagnosis]:
    """Return the one rule that explains the candidate's boxes; or, as unknown, all rules that do.

    Where the candidate's post-process can be run, the rule must also explain its boxes of the reference's map and of
    drawn ones. Where only boxes are known the rules are run on the reference's map, and what fits is noticed.
    """
    with isolated():  # once, as entering it for each run of a post-process takes longer than the run
        return _by_known_values(lab)


def _by_known_values(lab: Laboratory) -> list[Diagnosis]:
    bench, pages = _bench_and_pages(lab)
    if bench is None:
        if lab.candidate.probability_map is not None:
            lab.not_tried.append("other values in the reference's post-process: that needs the train model")
        return []
    if not pages:
        _notice_of_boxes_alone(lab, bench)
        return []
    if not _is_shown_on_pages(pages):
        return []
    rules = _likely(bench, _rules_to_try(lab), pages)
    fitting = _rules_left_of_run(lab, [fit for rule in rules if (fit := _fit_all(bench, rule, pages)) is not None])
    causes = {rule.cause for rule, _ in fitting}
    if _may_page_lie_so(lab, fitting):
        return []
    if len(causes) == 1 and "" not in causes and _is_enough(fitting, pages):
        return [_claim_of_rules(bench, rules, fitting, pages)]
    if not fitting and (several := _several(bench, pages)):
        return several
    return [_unknown_with_rival_rules(lab, fitting)] if fitting or lab.history.get(WITHDRAWN) else []


def _bench_and_pages(lab: Laboratory) -> tuple[Bench | None, list[Page]]:
    """Return the reference's post-process, None without one, and what it and the candidate make of maps."""
    bench = _postprocess_bench(lab)
    return bench, [] if bench is None else _pages_with_known_boxes(bench)


def _several(bench: Bench, pages: list[Page]) -> list[Diagnosis]:
    """Return the causes of the one combination of rules that explains the boxes; none where several differ in causes.

    It must explain what earlier images of this run showed of combinations as well, with values that fit them all.
    """
    lab = bench.lab
    found = combinations_of_values(bench, _rules_to_try(lab), pages, _fit_all)
    images, before = lab.history.get(TOGETHER, (0, None))
    if before is not None:
        found = [joint for fits in found if (joint := _joint(before, fits)) is not None]
    lab.history[TOGETHER] = images + 1, found
    causes = {tuple(sorted({rule.cause for rule, _ in fits})) for fits in found}
    if _may_page_lie_so(lab, [fit for fits in found for fit in fits]):
        return []
    if len(causes) != 1 or "" in causes.pop() or not _is_enough([], pages) or _does_one_alone(bench, found, pages):
        lab.tried += [f"{_words(fits)} together give {lab.names.candidate}'s boxes" for fits in found]
        return []
    return _claims(bench, found, pages)


OF_PLACE: Final = frozenset(("rescale.ratio", "rescale.frame", "rescale.offset", "rescale.mirrored", "rescale.clipped"))
"""What right boxes look like as well, of a page that lies otherwise in the candidate's picture."""


def _may_page_lie_so(lab: Laboratory, fitting: Sequence[Fit]) -> bool:
    """Note, and return, whether what rules say of boxes may be due to where the page lies in the candidate's picture.

    The rules take a map for one of the page and nothing else.
    """
    fits = [(rule, span) for rule, span in fitting if rule.cause in OF_PLACE]
    if not fits or (lab.is_picture_explained and lab.to_page is None):
        return False
    candidate = lab.names.candidate
    does_so = f"{candidate}'s boxes are those of {'; or of '.join(rule.words(span) for rule, span in fits)}?"
    why = "lies otherwise in" if lab.is_picture_explained else "may lie so in"
    which = "" if lab.is_picture_explained else ", whose difference is not explained"
    lab.noticed.append(f"{does_so} The page {why} {candidate}'s picture{which}")
    return True


TOGETHER: Final = "combinations"
"""Which combinations are left, in a run's history: of how many images, and each with the values that fit them all."""


def _texts(fits: Sequence[Fit]) -> frozenset[str]:
    return frozenset(rule.text for rule, _ in fits)


def _joint(before: Sequence[Sequence[Fit]], fits: Sequence[Fit]) -> tuple[Fit, ...] | None:
    """Return a combination with the values that fit the images before as well; None where there are none."""
    for known in before:
        spans = {rule.text: span for rule, span in known}
        if spans.keys() != _texts(fits):
            continue
        joint = [(rule, both) for rule, span in fits if (both := rule.joint(spans[rule.text], span)) is not None]
        if len(joint) == len(fits):
            return tuple(joint)
    return None


def _does_one_alone(bench: Bench, found: Sequence[Sequence[Fit]], pages: list[Page]) -> bool:
    """Run each rule of combinations alone, also those that were thought unlikely to make the boxes."""
    rules = {rule.text: rule for fits in found for rule, _ in fits}
    return any(_fit_all(bench, rule, pages) is not None for rule in rules.values())


def _words(fits: Sequence[Fit], *, with_intervals: bool = False) -> str:
    return " and ".join(rule.words(span) if with_intervals else rule.value_words(span) for rule, span in fits)


def _claims(bench: Bench, found: Sequence[Sequence[Fit]], pages: list[Page]) -> list[Diagnosis]:
    """Return a diagnosis of each cause of combinations, all with the proof that their rules make the boxes together.

    An interval is of one rule while the others have the values that are said.
    """
    lab, (reference, candidate) = bench.lab, bench.lab.names
    images, _ = lab.history[TOGETHER]
    varied = "; or to ".join(_words(fits, with_intervals=True) for fits in found)
    proof = f"{bench.name}, varied to {varied}, makes exactly {candidate}'s boxes and scores: {_places(lab, pages)}"
    proof += "; none of them does alone"
    if SAME_BOXES in varied:
        proof += f"; where any value {SAME_BOXES}, that was tried on {number_of_images(images)}, one value at a time"
    together = "; or ".join(f"{_words(fits)} together" for fits in found)
    texts = {_texts(fits) for fits in found}
    stated = []
    for rule, span in found[0]:
        patched = replace(lab.patched, explains_boxes=_explains_together(texts))
        lab.adopt_patch(DETECTIONS, rule.cause, patched)  # each its own check, as a patch holds what it changes
        own = lab.reference.parameters.get(DETECTIONS, {}).get(rule.name)
        has = f"does not do this: {rule.value_words(span)}" if own is None else f"has {rule.name} {own}"
        stated.append(_stated(lab, (rule, span), f"{together}; {reference} {has}", proof))
    return stated


def _explains_together(texts: set[frozenset[str]]) -> Callable[[Laboratory], bool]:
    """Return a check for another image: whether one of these combinations explains it, with values that fitted all."""

    def explains(lab: Laboratory) -> bool:
        bench, pages = _bench_and_pages(lab)
        if bench is None or not _is_shown_on_pages(pages):
            return False
        _, before = lab.history.get(TOGETHER, (0, []))
        found = combinations_of_values(bench, _rules_to_try(lab), pages, _fit_all)
        return any(_texts(fits) in texts and _joint(before, fits) is not None for fits in found)

    return explains


def _postprocess_bench(lab: Laboratory) -> Bench | None:
    """Return the reference's post-process; of a baseline, the installed one, if it makes the baseline's boxes."""
    reference, found = lab.reference, lab.reference.detections
    source = offered(reference.source, PostprocessesWith)
    if source is not None:
        return Bench(lab, source, f"{lab.names.reference}'s own post-process")
    if reference.source is not None or found is None:
        return None
    name = f"paddlex's post-process, which makes {lab.names.reference}'s own boxes"
    bench = Bench(lab, InstalledPostprocess(reference.parameters.get(DETECTIONS, {})), name, parts=COARSE)
    page = _page_of_trace(bench, reference, found)
    return None if page is None or not len(found) or not are_equal(page.right, found, page) else bench


def _rules_to_try(lab: Laboratory) -> list[Rule]:
    """Return the rules to try: of the reference's parameters, and changes of the map where no score shows them."""
    own = lab.reference.parameters.get(DETECTIONS, {})
    scores = None if lab.candidate.detections is None else lab.candidate.detections.scores
    other = {"min_size", "rectangles", "kernel", "unclip_distance", UNCLIP, "map_size", "score"}
    rules = []
    for rule in CAUSES:
        if rule.name and rule.name in own and isinstance(rule, Choice):
            rule = replace(rule, values=tuple(value for value in rule.values if value != own[rule.name]))
        if not rule.name or rule.name in own or rule.name in other:
            rules.append(rule)
    return [*rules, *RIVALS, *(MAPS if scores is None else ())]


def _likely(bench: Bench, rules: list[Rule], pages: list[Page]) -> list[Rule]:
    """Return the rules that may make the found scores: the others change none, and drop boxes or let them grow."""
    page = next(page for page in pages if page.shows)
    every = bench.make({"box_thresh": LEAST}, page)
    if every is None or every.scores is None or page.found.scores is None or has_scores(every, page.found):
        return rules
    return [rule for rule in rules if rule.name not in KEEP_SCORES]


KEEP_SCORES: Final = ("box_thresh", "unclip_ratio", "unclip_distance", UNCLIP)
"""What leaves each score as it is. A larger number of candidates, or a smaller size, lets boxes in with other ones."""


def _pages_with_known_boxes(bench: Bench) -> list[Page]:
    """Return the maps of which the candidate's boxes are known: its own, and where it can be run the others."""
    lab, reference, candidate = bench.lab, bench.lab.reference, bench.lab.candidate
    pages = []
    if candidate.detections is not None:
        pages.append(_page_of_trace(bench, candidate, candidate.detections))
    pages.append(_page_of_trace(bench, reference, lab.run_postprocess()))
    if pages[-1] is not None:
        for side in (PROBE, PROBE // 4):
            shape = (float(side), float(side), PROBE / side, PROBE / side)
            drawn = replace(reference, probability_map=map_of_small_boxes(weakest=0.35), shape=shape)
            page = _page_of_trace(bench, drawn, lab.run_postprocess(trace=drawn))
            pages.append(None if page is None else replace(page, is_drawn=True))
    return [page for page in pages if page is not None]


def _page_of_trace(bench: Bench, trace: Trace, found: Detections | None) -> Page | None:
    values, shape = trace.probability_map, trace.shape or _shape_of_page(bench.lab, trace)
    if found is None or values is None or shape is None or values.ndim != 4:
        return None
    page = Page(values, shape, found, found)
    right = bench.make({}, page)
    if right is None or not all(len(box) for box in (*found.polygons, *right.polygons)):
        return None  # a box without points has no side by which a rule could keep it
    return replace(page, right=right)


def _shape_of_page(lab: Laboratory, trace: Trace) -> Shape | None:
    """Return the shape row of a candidate that records none: its map is of the page that the reference decoded."""
    own, values = lab.reference.shape, trace.probability_map
    if own is None or values is None or values.ndim != 4:
        return None
    return own[0], own[1], values.shape[2] / own[0], values.shape[3] / own[1]


def _is_shown_on_pages(pages: list[Page]) -> bool:
    """Return whether something differs on a page that was not drawn, and some result is not empty.

    Of an empty result a drawn map must show the rule: every rule that drops enough makes it.
    """
    differs = any(not are_equal(page.right, page.found, page) for page in pages if not page.is_drawn)
    return differs and any(page.shows for page in pages)


def _fit_all(bench: Bench, rule: Rule, pages: list[Page]) -> Fit | None:
    """Return the values of a rule that explain every page; pages on which nothing shows must not contradict."""
    if isinstance(rule, Choice) and not isinstance(rule, Read):
        several = rule.fit_all(bench, sorted(pages, key=lambda page: not page.shows))
        return None if several is None else (rule, several)
    span: Span | None = None
    for page in pages:
        if page.shows:
            # A search is led by all boxes together, and may miss the few values that fit a page of many.
            if span is not None and isinstance(rule, Searched) and rule.fits(bench, page, span.value):
                own: Span | None = rule.around(bench, page, span.value)
            else:
                own = rule.fit(bench, page)
            span = own if span is None or own is None else rule.joint(span, own)
            if span is None:
                return None
    if span is None:
        return None
    others = [page for page in pages if not page.shows or isinstance(rule, Read)]
    choices = {span.value: None, **dict.fromkeys(_values_inside_span(span))}
    fitting = [value for value in choices if all(rule.fits(bench, page, value) for page in others)]
    if not fitting:
        return None
    if len(fitting) < len(choices):
        numbers = [value for value in fitting if isinstance(value, int | float)]
        if fitting[0] != span.value:  # of two that fit on either side of one that does not, each stands for itself
            numbers = numbers[:1]
        span = Span(min(numbers), max(numbers), fitting[0])
    return rule, span._replace(value=fitting[0])


def _values_inside_span(span: Span) -> list[Any]:
    if not isinstance(span.value, float) or not (math.isfinite(span.low) and math.isfinite(span.high)):
        return []
    return [
        roundest_rule_value(span.low, (span.low + span.high) / 2),
        roundest_rule_value((span.low + span.high) / 2, span.high),
    ]


WITHDRAWN: Final = "withdrawn"


def _rules_left_of_run(lab: Laboratory, fitting: list[Fit]) -> list[Fit]:
    """Return the rules that fit the images before as well; keep in the run's history what is left of each."""
    before: Mapping[str, Span] | None = lab.history.get("spans")
    left = {}
    for rule, span in fitting:
        joint = span if before is None else (rule.joint(before[rule.text], span) if rule.text in before else None)
        if joint is not None:
            left[rule.text] = joint
    stated = lab.history.get("stated")
    if stated is not None and not any(rule.cause == stated[0] for rule, _ in fitting if rule.text in left):
        lab.history[WITHDRAWN] = f"{stated[0]}, named on {stated[1]}, does not explain this image: it is withdrawn"
        lab.history["stated"] = None
    lab.history["spans"] = left
    return [(rule, left[rule.text]) for rule, _ in fitting if rule.text in left]


def _is_enough(fitting: list[Fit], pages: list[Page]) -> bool:
    """Return whether the pages could have shown that it is another rule."""
    if any(page.is_drawn and page.shows for page in pages):
        return True
    shown = [page for page in pages if page.shows and not page.is_drawn]
    changed = 0
    for page in shown:
        kept = indices_of_equal_boxes(page.found, page.right, page)
        if kept is not None:
            return math.comb(len(page.right), len(kept)) >= CHANCES
        changed = max(changed, _count_changed(page))
    return changed >= FEWEST_CHANGED


def _count_changed(page: Page) -> int:
    """Return how many found boxes are not among the reference's."""
    count = len(page.found)
    same = sum(
        indices_of_equal_boxes(
            Detections((polygon,), None if page.found.scores is None else page.found.scores[[index]]), page.right, page
        )
        is not None
        for index, polygon in enumerate(page.found.polygons)
    )
    return count - same


def _claim_of_rules(bench: Bench, rules: Sequence[Rule], fitting: list[Fit], pages: list[Page]) -> Diagnosis:
    lab, candidate = bench.lab, bench.lab.names.candidate
    cause = fitting[0][0].cause
    words = "; or ".join(rule.words(span) for rule, span in fitting)
    proof = f"{bench.name}, varied to {words}, makes exactly {candidate}'s boxes"
    proof += f"{' and scores' if pages[0].found.scores is not None else ''}: {_places(lab, pages)}"
    run = sum(rule.name not in bench.refused for rule in rules)
    proof += f"; of {run} rules that were run, no other does"
    lab.history["stated"] = (cause, lab.candidate.label)
    texts = {each.text for each, _ in fitting}
    lab.adopt_patch(DETECTIONS, cause, replace(lab.patched, explains_boxes=_explained_by_rules(texts)))
    own = lab.reference.parameters.get(DETECTIONS, {}).get(fitting[0][0].name)
    reference = lab.names.reference
    has = f"{reference} has {own}" if own is not None else f"{reference} does not do that"
    return _stated(lab, fitting[0], f"{words}; {has}", proof)


def _places(lab: Laboratory, pages: list[Page]) -> str:
    """Return in words on which maps a rule makes the candidate's boxes."""
    reference, candidate = lab.names
    places = [f"{candidate}'s map"] * (lab.candidate.probability_map is not None)
    places += [f"{reference}'s"] * (len([p for p in pages if not p.is_drawn]) > len(places))
    places += ["test maps that are drawn"] * any(page.is_drawn for page in pages)
    return f"on {', on '.join(places)}"


def _stated(lab: Laboratory, fit: Fit, words: str, proof: str) -> Diagnosis:
    """Return the diagnosis of one cause, of which `fit` is the first rule that fits."""
    (reference, candidate), (rule, span) = lab.names, fit
    summary = f"{candidate}'s boxes are those of {words}"
    said = lab.candidate.parameters.get(DETECTIONS, {}).get(rule.name)
    if said is not None and not any(parameters_agree(said, value) for value in span.values):
        summary += f", and {candidate} says {said}"
    fix = fix_of_rule(rule, lab.reference.parameters.get(DETECTIONS, {}), reference, candidate)
    return lab.proven_cause(DETECTIONS, rule.cause, summary, [proof], fix)


def _explained_by_rules(texts: set[str]) -> Callable[[Laboratory], bool]:
    """Return a check for another image: whether one of these rules explains its boxes, with a value that fitted all."""

    def explains(lab: Laboratory) -> bool:
        bench, pages = _bench_and_pages(lab)
        if bench is None or not _is_shown_on_pages(pages):
            return False
        rules = [rule for rule in _rules_to_try(lab) if rule.text in texts]
        fitting = [fit for rule in rules if (fit := _fit_all(bench, rule, pages)) is not None]
        before = lab.history.get("spans") or {}
        return any(rule.text in before and rule.joint(before[rule.text], span) is not None for rule, span in fitting)

    return explains


def _unknown_with_rival_rules(lab: Laboratory, fitting: list[Fit]) -> Diagnosis:
    """Return as unknown what fits equally well, or too little to be stated."""
    candidate = lab.names.candidate
    if WITHDRAWN in lab.history:
        lab.noticed.append(lab.history[WITHDRAWN])
    if not fitting:
        return lab.unknown_cause(DETECTIONS, "the boxes differ, and no rule explains those of every image")
    texts = [(f"{rule.cause}: " if rule.cause else "") + rule.words(span) for rule, span in fitting]
    lab.tried += [f"{text} gives {candidate}'s boxes" for text in texts]
    causes = tuple(dict.fromkeys(rule.cause for rule, _ in fitting if rule.cause))
    tells = "which of them it is" if len(fitting) > 1 else "whether it is that"
    summary = f"{candidate}'s boxes are exactly those of {'; or of '.join(texts)}. This image does not tell {tells}"
    # What has no code, and what did not show enough to be stated, may be something else as well.
    is_open = bool(causes) and (len(causes) == 1 or any(not rule.cause for rule, _ in fitting))
    return replace(lab.unknown_cause(DETECTIONS, summary), rivals=(*causes, *[UNKNOWN] * is_open))


def _notice_of_boxes_alone(lab: Laboratory, bench: Bench) -> None:
    """Run the rules on the reference's map where the candidate records none; that shows no cause."""
    candidate, found = lab.names.candidate, lab.candidate.detections
    page = None if found is None else _page_of_trace(bench, lab.reference, found)
    if page is None or not page.shows:
        return
    own = lab.reference.parameters.get(DETECTIONS, {})
    rules = (rule for rule in _rules_to_try(lab) if rule.name in (*own, UNCLIP) or isinstance(rule, Cut))
    fits = [fit for rule in rules if (fit := _fit_all(bench, rule, [page])) is not None]
    if fits:
        words = "; or ".join(rule.words(span) for rule, span in fits)
        lab.noticed.append(
            f"{candidate}'s boxes are as if of {lab.names.reference}'s map with {words}; "
            "a map that is scaled or shifted does the same, and the map is not recorded"
        )
