"""The public assertions: they compare, inform the listener, and raise with an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Final, TypeAlias

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.characters import with_dictionaries_judged
from pytest_ocrparity.compare.preconditions import refuse_one_side_twice, refuse_same_object
from pytest_ocrparity.compare.whole_page import PageComparisons
from pytest_ocrparity.comparison import Comparison, DifferenceError
from pytest_ocrparity.context import Diagnoser, Listener, context_test_id, current_context
from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.evaluate.sequences import Found, LabelsLike, count_sequences
from pytest_ocrparity.evaluate.verdict import Accuracy, accuracy_verdict, refuse_no_share
from pytest_ocrparity.explain import explain
from pytest_ocrparity.explain.accuracies import explain_accuracy
from pytest_ocrparity.explain.page_message import explain_page
from pytest_ocrparity.stages import (
    DETECTION,
    DETECTIONS,
    PAGE,
    PREPROCESSING,
    PROBABILITY_MAPS,
    PRODUCTS,
    RECOGNITION,
    TEXT,
    task_of,
)
from pytest_ocrparity.tolerance import Tolerance
from pytest_ocrparity.trace import Detections, Recognition, Trace
from pytest_ocrparity.wording import printable

ToleranceLike: TypeAlias = "Tolerance | Mapping[str, Any] | str | None"
Boxes: TypeAlias = "Trace | Detections | Iterable[Any]"
Texts: TypeAlias = "Trace | Recognition | str"
_MARKER: Final = '@pytest.mark.ocr_task("recognition")'


def assert_same_preprocessing(
    reference: Trace, candidate: Trace, *, tolerance: ToleranceLike = None, atol: float | str | None = None
) -> Comparison:
    """Assert that both sides feed their network the same tensor.

    Compares the decoded image (shape, dtype, channel order), the resized size and the tensor.

    Args:
        reference: the trace that is right by definition, such as `ocr_train_model.trace(image)`.
        candidate: the trace under test.
        tolerance: a preset's name, a table as in the settings, or a `Tolerance`; else that of the running test.
        atol: largest tensor difference, or "auto": 4 ulp of max(abs(x), mean/std), at least 2e-6.

    Returns:
        What was measured.

    Raises:
        DifferenceError: they differ, or nothing could be compared.
        SettingsError: the tolerance names an unknown limit or preset.
        TypeError: a side is no trace.
    """
    __tracebackhide__ = True
    return _assert_same(reference, candidate, PREPROCESSING, tolerance, {"atol": atol})


def assert_same_probability_maps(
    reference: Trace,
    candidate: Trace,
    *,
    tolerance: ToleranceLike = None,
    atol: float | str | None = None,
    mean_atol: float | str | None = None,
    max_share: float | None = None,
    max_crossings: float | str | None = None,
) -> Comparison:
    """Assert that both networks return the same raw probability map, of pixels or of a recogniser's timesteps.

    Args:
        reference: the trace that is right by definition.
        candidate: the trace under test.
        tolerance: a preset's name, a table as in the settings, or a `Tolerance`; else that of the running test.
        atol: largest difference, "off", or "auto": 4 times the reference network's own sensitivity, 1e-4 to 1e-2.
        mean_atol: mean difference, of a recogniser that of the largest of each timestep; or "off".
        max_share: share of pixels, 0 to 1, that may exceed `atol`.
        max_crossings: number of pixels that may change side of the post-process's `thresh`, or of a recogniser's
            timesteps whose best class may change; or "off".

    Returns:
        What was measured.

    Raises:
        DifferenceError: they differ in shape, channels, finiteness or amount, or nothing could be compared.
        SettingsError: the tolerance names an unknown limit or preset.
        TypeError: a side is no trace.
    """
    __tracebackhide__ = True
    limits = {"atol": atol, "mean_atol": mean_atol, "max_share": max_share, "max_crossings": max_crossings}
    return _assert_same(reference, candidate, PROBABILITY_MAPS, tolerance, limits)


def assert_same_detections(
    reference: Boxes,
    candidate: Boxes,
    *,
    tolerance: ToleranceLike = None,
    min_iou: float | str | None = None,
    max_shift: float | str | None = None,
    max_score_difference: float | str | None = None,
    max_unmatched: float | None = None,
    max_borderline: float | None = None,
    allow_empty: bool | None = None,
) -> Comparison:
    """Assert that both sides find the same boxes, whatever their order and first vertex.

    Args:
        reference: a trace, `Detections`, or plain polygons in source pixels: a list of (N, 2), or an (M, 4, 2) array.
        candidate: the same, of the side under test.
        tolerance: a preset's name, a table as in the settings, or a `Tolerance`; else that of the running test.
        min_iou: smallest IoU of a pair, 0 to 1, or "auto": 0.9 for many-point polygons, not judged for quads.
        max_shift: largest distance of a pair's vertices (quads) or boundaries (polygons), in map pixels, to which one
            source pixel of rounding is added; for plain polygons in source pixels; or "off".
        max_score_difference: largest score difference of a pair, "off", or "auto": 1e-5 from the score that the
            reference's post-process gives the box on the candidate's map; 0.2 where that can't be run.
        max_unmatched: share of boxes, 0 to 1, that may be missing, extra, split, merged or moved.
        max_borderline: share of the run's boxes that may be borderline; judged by the pytest plugin at the end.
        allow_empty: accept that neither side has a box although no maps show that they agree.

    Returns:
        What was measured.

    Raises:
        DifferenceError: boxes differ, or nothing could be compared.
        SettingsError: the tolerance names an unknown limit or preset.
        TypeError, ValueError: a side, or a polygon of it, is none of these.
    """
    __tracebackhide__ = True
    limits = {
        "min_iou": min_iou,
        "max_shift": max_shift,
        "max_score_difference": max_score_difference,
        "max_unmatched": max_unmatched,
        "max_borderline": max_borderline,
        "allow_empty": allow_empty,
    }
    return _assert_same(reference, candidate, DETECTIONS, tolerance, limits)


def assert_same_text(
    reference: Texts,
    candidate: Texts,
    *,
    tolerance: ToleranceLike = None,
    max_cer: float | str | None = None,
    max_borderline: float | None = None,
    max_score_difference: float | str | None = None,
    allow_empty: bool | None = None,
) -> Comparison:
    """Assert that both sides read the same text, character by character, spaces and all.

    Args:
        reference: a trace of a recogniser, a `Recognition`, or a plain text.
        candidate: the same, of the side under test.
        tolerance: a preset's name, a table as in the settings, or a `Tolerance`; else that of the running test.
        max_cer: largest character error rate, edits per character of the reference's text, or "off".
        max_borderline: share of the run's lines that may be borderline, where one always may unless it is 0; judged by
            the pytest plugin at the end.
        max_score_difference: largest score difference of equal texts, "off", or "auto": as far as the maps differ,
            where both sides kept the same timesteps.
        allow_empty: accept that neither side reads anything although no maps show that they agree.

    Returns:
        What was measured.

    Raises:
        DifferenceError: the texts or scores differ, nothing could be compared, or the traces are of a detector.
        SettingsError: the tolerance names an unknown limit or preset.
        TypeError: a side is none of these.
    """
    __tracebackhide__ = True
    limits = {
        "max_cer": max_cer,
        "max_borderline": max_borderline,
        "max_score_difference": max_score_difference,
        "allow_empty": allow_empty,
    }
    return _assert_same(reference, candidate, TEXT, tolerance, limits)


def assert_same_page(reference: Trace, candidate: Trace, *, tolerance: ToleranceLike = None) -> Comparison:
    """Assert that both sides find the same lines on a page, read the same text in each, and in the same order.

    Boxes are judged as by `assert_same_detections`, whatever their order, and the texts of each pair of boxes character
    by character. A failure names the first model, stage and cause at fault, or the step between the models.

    Args:
        reference: a trace with `texts`, such as `ocr_train_page.trace(image)`.
        candidate: the trace under test, such as `ocr_inference_page.trace(image)`.
        tolerance: a preset's name, a table as in the settings, or a `Tolerance`; else that of the running test. Of it
            the limits of `detections` and of `text` judge; of `text.max_score_difference`, "auto" is 0.2, as lines are
            read in batches.

    Returns:
        What was measured; its `lines` hold both texts at each place.

    Raises:
        DifferenceError: boxes, texts or their order differ, nothing could be compared, or the traces are of no page.
        SettingsError: the tolerance names an unknown limit or preset.
        TypeError: a side is no trace.
    """
    __tracebackhide__ = True
    for trace in (reference, candidate):
        if not isinstance(trace, Trace):
            raise TypeError(f"give what a page's .trace(image) returned, not {trace!r}")
    with _heard_errors():
        refuse_same_object(reference, candidate)
        _refuse_no_page(reference, candidate)
        refuse_one_side_twice(PAGE, reference, candidate)
        return _compare_pages_or_raise(reference, candidate, tolerance)


def assert_same_accuracy(
    reference: Iterable[Found], candidate: Iterable[Found], labels: LabelsLike, *, max_drop: float
) -> Accuracy:
    """Assert that the candidate finds, or reads, what is right on as many images as the reference.

    For candidates that cannot keep parity, such as int8. Judged are hmean at an IoU of 0.5, of recognisers the share of
    lines that are right, spaces counted, by the interval of their paired difference (docs/explanation/accuracy.md).

    Args:
        reference: a trace, `Detections` or a `Recognition` for each image, by the side that is right by definition.
        candidate: the same, of the side under test. Both may be generators, so that no trace need be kept.
        labels: the path of a label file of PaddleOCR's, what `read_labels` returned, or a `Label` for each image.
            Traces are found in a file by the path of their image; all else goes by its order.
        max_drop: by how much hmean (the share of lines) may fall, as a share: 0.01 is one point.

    Returns:
        What was judged. Its `verdict` is "passed", or "no loss seen", which says how rare a fault can hide in so few
        images.

    Raises:
        DifferenceError: a larger drop is shown (failed), a loss was seen and the images are too few, or the reference
            is so bad that it cannot drop by `max_drop` (undecided), or both sides are one.
        LabelError: the label file cannot be used.
        TypeError: a side or `labels` is none of these.
        ValueError: the sequences do not belong together, no image has a label, or `max_drop` is no share.
    """
    __tracebackhide__ = True
    with _heard_errors():
        refuse_no_share(max_drop)  # before hours of tracing
        refuse_same_object(reference, candidate)
        names, recorded = ["reference", "candidate"], list[bool]()
        counted = count_sequences(_pairs(reference, candidate, names, recorded), labels)
        found = accuracy_verdict(counted.images, task=counted.task, max_drop=max_drop, is_set=True)
        unused = len(counted.unlabelled), counted.untraced
        if (listener := current_context().listener) is not None and not any(recorded):
            left_out = dict(zip(("no_label", "not_compared"), unused, strict=True))
            listener.on_accuracy(found, counted.images, (names[0], names[1]), left_out)
        if found.fails:
            raise DifferenceError(explain_accuracy(found, counted.images, *unused, (names[0], names[1])))
    return found


@contextmanager
def _heard_errors() -> Iterator[None]:
    """Let the listener know what is raised, as a test may catch it."""
    try:
        yield
    except DifferenceError as error:
        if (listener := current_context().listener) is not None:
            listener.on_error(error)
        raise


def _pairs(
    reference: Iterable[Found], candidate: Iterable[Found], names: list[str], recorded: list[bool]
) -> Iterator[tuple[Found | None, Found | None]]:
    """Yield what both sides found in each image; DifferenceError where one side found both.

    Notes their names, and whether this run recorded the one of the other, which shows nothing.
    """
    for side, found in (("reference", reference), ("candidate", candidate)):
        if not isinstance(found, Iterable):
            raise TypeError(
                f"{side}: give a list of a Trace, Detections or a Recognition for each image, not {found!r:.60}"
            )
    for one, two in zip_longest(reference, candidate):
        if one is not None:  # for both, count_pairs says what is missing
            refuse_same_object(one, two)
        if isinstance(one, Trace) and isinstance(two, Trace):
            refuse_one_side_twice(TEXT if two.task == RECOGNITION else DETECTIONS, one, two)
            recorded.append(one.is_recording_of(two))
        for index, product in enumerate((one, two)):
            names[index] = printable(product.pipeline) if isinstance(product, Trace) else names[index]
        yield one, two


def _assert_same(
    reference: Boxes | Texts, candidate: Boxes | Texts, kind: str, tolerance: ToleranceLike, keywords: Mapping[str, Any]
) -> Comparison:
    """Make the asserted comparison."""
    __tracebackhide__ = True
    for trace in (reference, candidate):
        if kind not in PRODUCTS and not isinstance(trace, Trace):
            raise TypeError(f"give what a model's .trace(image) returned, not {trace!r}")
    with _heard_errors():
        if not isinstance(reference, str):  # equal texts of a test are one object in Python
            refuse_same_object(reference, candidate)
        make = _trace_of_text if kind == TEXT else _boxes_as_trace
        sides = make(reference, "reference"), make(candidate, "candidate")
        _refuse_other_task(kind, *sides)
        if isinstance(reference, Trace) or isinstance(candidate, Trace):  # constants of a test may be on both sides
            refuse_one_side_twice(kind, *sides)
        return _compare_or_raise(*sides, kind, tolerance, keywords)


def _compare_or_raise(
    reference: Trace, candidate: Trace, kind: str, tolerance: ToleranceLike, keywords: Mapping[str, Any]
) -> Comparison:
    """Compare, and report it; where it fails, make the other comparisons too and raise with all."""
    __tracebackhide__ = True
    given = {name: value for name, value in keywords.items() if value is not None}
    limits, listener = _limits(tolerance, {kind: given} if given else None), current_context().listener
    comparisons = Comparisons(reference, candidate, limits, defers=listener is not None)
    judged = comparisons.of(kind)
    if listener is None:  # a run says once what is true of all its lines
        judged = with_dictionaries_judged(judged)
    else:
        listener.on_comparison(judged, reference, candidate, limits)
    if not judged.is_match:
        # Of dictionaries that differ, and no line shows it, nothing is to be found.
        is_shown = not all(each.is_match for each in comparisons.all())
        diagnoses = _diagnoser(listener).diagnose(comparisons) if is_shown else ()
        made = tuple(judged if each.kind == kind else each for each in comparisons.all())
        message = explain(made, judged, diagnoses)
        if listener is not None:
            listener.on_failure(judged, made, diagnoses, message, (reference, candidate))
        raise DifferenceError(message, made, diagnoses)
    return judged


def _compare_pages_or_raise(reference: Trace, candidate: Trace, tolerance: ToleranceLike) -> Comparison:
    """Compare two pages, and report it; where they differ, raise with what was found."""
    __tracebackhide__ = True
    limits, listener = _limits(tolerance), current_context().listener
    comparisons = PageComparisons(reference, candidate, limits, defers=listener is not None)
    judged = comparisons.page
    if listener is not None:
        listener.on_comparison(judged, reference, candidate, limits)
    if not judged.is_match:
        diagnoses = _diagnoser(listener).diagnose_page(comparisons)
        made = comparisons.all()
        message = explain_page(judged, diagnoses)
        if listener is not None:
            sides = comparisons.boxes.reference, comparisons.boxes.candidate
            listener.on_failure(judged, made, diagnoses, message, sides)
        raise DifferenceError(message, made, diagnoses)
    return judged


def _refuse_no_page(reference: Trace, candidate: Trace) -> None:
    """Raise DifferenceError where a trace that went to its end holds no texts of a page."""
    __tracebackhide__ = True
    for trace in (reference, candidate):
        if trace.texts is None and trace.error is None:
            sort = "a recogniser" if trace.task == RECOGNITION else "a detector"
            raise DifferenceError(
                f"{trace.label}: {printable(trace.pipeline)} is {sort}, and assert_same_page compares pages: take its "
                "traces from ocr_train_page, ocr_inference_page or ocr_golden_page"
            )


def _limits(tolerance: ToleranceLike, keywords: Mapping[str, Any] | None = None) -> Tolerance:
    """Return the limits of the running test under those of an assertion's arguments."""
    __tracebackhide__ = True
    try:
        limits = current_context().tolerance().of_assertion(tolerance)
        return limits.override(keywords, "keyword")
    except SettingsError as error:
        raise error.with_traceback(None) from None


def _diagnoser(listener: Listener | None) -> Diagnoser:
    if listener is not None:
        return listener.diagnoser
    # Imported where something differs: the experiments are a third of all modules, and most runs make none.
    from pytest_ocrparity.diagnose import SECONDS
    from pytest_ocrparity.diagnose.cache import DiagnosisCache

    return DiagnosisCache(SECONDS)


def _refuse_other_task(kind: str, reference: Trace, candidate: Trace) -> None:
    """Raise DifferenceError where the sides are of two tasks, or of another than that of the assertion."""
    __tracebackhide__ = True
    names = [printable(each.pipeline) for each in (reference, candidate)]
    # One without boxes and text is taken for a detector's; what it lacks the comparison says.
    known = {
        each.task: name
        for each, name in zip((reference, candidate), names, strict=True)
        if each.detections is not None or each.task == RECOGNITION
    }
    if len(known) > 1:
        is_recorded = any(name.startswith("baseline (") for name in names)
        record = "record the baseline again with: pytest --ocr-golden --ocr-golden-mode=all; or " * is_recorded
        raise DifferenceError(
            f"{candidate.label}: {known[DETECTION]} is of a detector and {known[RECOGNITION]} of a recogniser: nothing "
            f"was compared; {record}{_MARKER} gives a test both models of [tool.ocrparity.recognition]"
        )
    wanted = task_of(kind)
    if wanted is None or not known or wanted in known:
        return
    both = names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"
    if wanted == RECOGNITION:
        raise DifferenceError(
            f"{candidate.label}: {both} are detectors, and assert_same_text compares what recognisers read: nothing "
            f"was compared; compare boxes with assert_same_detections, or mark the test with {_MARKER}, which gives "
            "it the images and models of [tool.ocrparity.recognition]"
        )
    raise DifferenceError(
        f"{candidate.label}: {both} are recognisers, and assert_same_detections compares boxes: nothing was compared; "
        f"compare texts with assert_same_text; in a project of both tasks, {_MARKER} gives a test recognisers, and "
        "without it a test gets detectors"
    )


def _trace_of_text(text: Any, side: str) -> Trace:
    """Return a text of any accepted form as a trace. Raises TypeError for another."""
    __tracebackhide__ = True
    if isinstance(text, Trace):
        return text
    if not isinstance(text, str | Recognition):
        raise TypeError(f"{side}: give a Trace, a Recognition or a text, not {text!r}")
    found = Recognition(text) if isinstance(text, str) else text
    return Trace(pipeline=side, image=context_test_id() or "text", recognition=found)


def _boxes_as_trace(boxes: Any, side: str) -> Trace:
    """Return boxes of any accepted form as a trace. Raises TypeError or ValueError for another."""
    __tracebackhide__ = True
    if isinstance(boxes, Trace):
        return boxes
    if not isinstance(boxes, Iterable) and not isinstance(boxes, Detections):
        raise TypeError(f"{side}: give a Trace, Detections or a list of polygons, not {boxes!r}")
    if not isinstance(boxes, Detections):
        boxes = Detections(tuple(np.asarray(polygon, np.float64) for polygon in boxes))
    return Trace(pipeline=side, image=context_test_id() or "detections", detections=boxes)
