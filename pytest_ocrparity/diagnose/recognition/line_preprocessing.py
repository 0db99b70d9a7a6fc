"""Examines what a recogniser's network is fed: the decoded line, its size, what it is filled up with, and its numbers.

A cause of the size is claimed where the two sides' rules, found by asking them for lines of many sizes, say why this
line's sizes differ, and the reference's own operators, at the candidate's size, make the candidate's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pytest_ocrparity.contract import (
    ChangesPictures,
    ResizesLines,
    RunsBatches,
    StartsAnew,
    TakesParameters,
    WordsFixes,
    offered,
    pipeline_of,
)
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Recorded
from pytest_ocrparity.diagnose.preprocessing import (
    by_channel_order,
    examine_preprocessing_stage,
    why_no_preprocessing_again,
)
from pytest_ocrparity.diagnose.recognition.fill import examine_arrangement, examine_fill, examine_numbers
from pytest_ocrparity.diagnose.recognition.line_rules import (
    AS_WIDE,
    PADDLEOCR,
    PROBES,
    SQUEEZED,
    STRETCHED,
    Departure,
    LineRule,
    Made,
    Size,
    fitting_line_rules,
    line_rule_departures,
    line_rule_of_parameters,
)
from pytest_ocrparity.diagnose.recognition.line_sizes import columns_of_picture, line_sizes_text, size_of_line
from pytest_ocrparity.diagnose.recognition.scaled_lines import SCALED, scaled_line_cause, with_scaled_line
from pytest_ocrparity.diagnosis import UNKNOWN, Change, Diagnosis, Fix
from pytest_ocrparity.stages import DECODE, PREPROCESSING, RESIZE, TENSOR
from pytest_ocrparity.trace import Array, Image, Trace

AS_DEPLOYED: Final = Fix(
    "evaluate as you deploy: in the training YAML file, set eval_mode: true under RecResizeImg in "
    "Eval.dataset.transforms (SVTRRecResizeImg has no such mode: put RecResizeImg in its place), and "
    "batch_size_per_card: 1 in Eval.loader; or train and evaluate with a wider image_shape",
    (
        Change("train.config", {"eval_mode": True}, "RecResizeImg"),
        Change("train.config", {"batch_size_per_card": 1}, "Eval.loader"),
    ),
)


def examine_line_preprocessing(lab: Laboratory) -> list[Diagnosis]:
    """Return each cause for which the two tensors of a line differ."""
    first = lab.compare_with_reference(PREPROCESSING, lab.candidate).stage or TENSOR
    if not lab.can_run or lab.run_preprocessing() is None:
        lab.not_tried.append(why_no_preprocessing_again(lab))
        lab.use_recorded()
    trace = lab.run_preprocessing()
    if trace is None:
        return [lab.unknown_cause(first)]
    found = [] if (batch := _by_batch(lab, trace)) is None else [batch]
    trace = lab.run_preprocessing() or trace  # alone, where its preprocessing itself makes a batch
    if not lab.is_same_stage(DECODE, trace):
        found += examine_preprocessing_stage(lab, DECODE)
        if found[-1].cause == UNKNOWN and lab.before is lab.reference:
            return found
    if (order := by_channel_order(lab)) is not None:
        found.append(order)
    trace = lab.run_preprocessing()
    if trace is None or trace.tensor is None:
        return found if found and trace is not None and trace.error is None else [*found, lab.unknown_cause(first)]
    if (scaled := scaled_line_cause(lab, trace)) is None:
        found += _examine_resized(lab, trace)
    else:
        found += with_scaled_line(scaled, _examine_resized(lab, lab.run_preprocessing() or trace))
    return found or [lab.unknown_cause(first)]


def _examine_resized(lab: Laboratory, trace: Trace) -> list[Diagnosis]:
    """Return each cause from the resize on."""
    found = _examine_size(lab, trace)
    if any(each.cause == UNKNOWN for each in found):
        return found
    trace = lab.run_preprocessing() or trace  # with an option put right, if one was the cause
    content = columns_of_picture(trace) if trace.tensor is not None else 0
    if trace.tensor is not None and not lab.is_same_stage(TENSOR, trace):
        arranged = examine_arrangement(lab, trace, content)
        if arranged is not None:
            cause, trace = arranged
            found.append(cause)
    if trace.tensor is not None and not lab.is_same_stage(TENSOR, trace):
        numbers = examine_numbers(lab, trace, content)
        is_known = all(each.cause != UNKNOWN for each in numbers)
        found += [*numbers, *(examine_fill(lab, trace, content) if is_known else [])]
    return found


def _examine_size(lab: Laboratory, trace: Trace) -> list[Diagnosis]:
    """Return why the line has another size, or other pixels at the same size; then `lab.before` is at its size."""
    sizes = size_of_line(lab.before), size_of_line(trace)
    if None in sizes or sizes[1] is None:
        return [lab.unknown_cause(RESIZE, "a tensor is not (1, 3, height, width)")]
    is_same_size = sizes[0] == sizes[1]
    if is_same_size and (_are_same_pictures(lab.before, trace) or lab.before is not lab.reference):
        return []
    if lab.before is not lab.reference:
        lab.not_tried.append("the size of the line: what was decoded is another picture")
        return [lab.unknown_cause(RESIZE)]
    put_right = _by_options(lab, trace)
    if put_right:
        return put_right
    shown = _shown_at_its_size(lab, trace, sizes[1])
    if shown is None:
        lab.noticed.append(line_sizes_text(lab, trace))
        return [lab.unknown_cause(RESIZE)]
    before, proof, interpolation = shown
    found = [] if is_same_size else _by_rules(lab, trace, proof)
    if found is None:
        lab.noticed.append(f"{line_sizes_text(lab, trace)}; {proof}")
        return [lab.unknown_cause(RESIZE, "the line has another size, and which rule gives it is not known")]
    found += interpolation
    if not found:
        return []
    lab.before = before
    lab.reset_notes()
    return found


def _are_same_pictures(reference: Trace, trace: Trace) -> bool:
    """Return whether two pictures are equal, in whatever order their channels are; those not recorded count so."""
    one, two = reference.resize, trace.resize
    return one is None or two is None or np.array_equal(one, two) or np.array_equal(one, two[..., ::-1])


def _by_options(lab: Laboratory, trace: Trace) -> list[Diagnosis]:
    """Return the option of the candidate without which, or with the reference's value of which, its line is right."""
    if offered(lab.own, TakesParameters) is None:
        return []
    right, own = (each.parameters.get(RESIZE, {}) for each in (lab.reference, trace))
    changes: list[tuple[str, dict[str, Any]]] = []
    shapes = right.get("image_shape"), own.get("image_shape")
    if own.get("input_shape") is not None and right.get("rule") != STRETCHED:
        changes.append(("resize.input_shape", {"input_shape": None}))
    if right.get("rule") == STRETCHED and own.get("rule") not in (None, STRETCHED) and shapes[0] is not None:
        changes.append(("resize.stretch", {"input_shape": list(shapes[0])}))
    if all(shapes) and list(shapes[0] or ()) != list(shapes[1] or ()) and not changes:
        wanted = list(shapes[0] or ())
        cause = "resize.height" if wanted[1:2] != list(shapes[1] or ())[1:2] else "resize.width"
        changes.append((cause, {"image_shape": wanted}))
    for cause, values in changes:
        patched = lab.attempt(lambda values=values: lab.patched.varied({RESIZE: values}), cause)  # type: ignore[misc]
        made = None if patched is None else lab.run_preprocessing(patched)
        if patched is None or made is None or made.tensor is None or size_of_line(made) == size_of_line(trace):
            continue
        also: list[Diagnosis] = []
        shown = None
        if size_of_line(made) != size_of_line(lab.reference) or not _are_same_pictures(lab.reference, made):
            shown = _shown_at_its_size(lab, made, size_of_line(made) or (0, 0, 0))
            rules = None if shown is None else _by_rules(lab, made, shown[1], patched.pipeline)
            if not rules:
                lab.tried.append(f"{cause}: with {_values_text(values)}, the size still differs")
                continue
            also = rules
        with_it = f"with {_values_text(values)}" if None not in values.values() else f"without {next(iter(values))}"
        proof = f"{with_it}, {lab.names.candidate}'s line is as large as {lab.names.reference}'s: "
        proof += f"{line_sizes_text(lab, made)}; before, {line_sizes_text(lab, trace)}"
        if also:
            proof = f"{with_it}, {line_sizes_text(lab, made)}, which {also[0].cause} explains; before, "
            proof += line_sizes_text(lab, trace)
        fix = lab.ask(lab.candidate, WordsFixes, lambda s, values=values: s.parameter_fix(RESIZE, values))  # type: ignore[misc]
        lab.reset_notes()
        lab.patched = patched
        lab.before = lab.reference if shown is None else shown[0]
        said = fix or Fix(f"give {lab.names.candidate} {_values_text(values)}")
        return [lab.proven_cause(RESIZE, cause, _SUMMARY[cause].format(*lab.names), [proof], said), *also]
    return []


_SUMMARY: Final = {
    "resize.input_shape": "{1} stretches every line to its input_shape, and {0} keeps its proportions",
    "resize.stretch": "{0} stretches every line to one size, and {1} keeps its proportions and fills it up",
    "resize.height": "{1} makes lines of another height than {0}",
    "resize.width": "{1} has another base width than {0}",
}


def _values_text(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _by_batch(lab: Laboratory, trace: Trace) -> Diagnosis | None:
    """Return a batch's padding as the cause, where the recorded tensor is wider than the one that is made alone."""
    recorded, image = lab.candidate.tensor, lab.image
    if recorded is None or recorded.ndim != 4 or not lab.can_run:
        return None
    if (found := _padded_cause(lab, recorded, trace)) is not None or image is None:
        return found
    # Its preprocessing of one line may make a batch with others, so it is asked for a batch of this line alone.
    is_filled_up = lab.tensor.ndim == 4 and recorded.shape[3] > lab.tensor.shape[3] and not recorded[..., -1].any()
    if not is_filled_up or trace.tensor is None or not np.array_equal(trace.tensor, recorded):
        return None
    alone = _in_batch(lab, [image], recorded)
    if alone is None or (found := _padded_cause(lab, recorded, alone)) is None:
        return None
    wide = np.full((*recorded.shape[2:], 3), 127, np.uint8)
    filled = _in_batch(lab, [image, wide], recorded)
    if filled is None or filled.tensor is None or not np.array_equal(filled.tensor, recorded):
        return None
    anew = lab.ask(lab.candidate, StartsAnew, lambda side: side.fresh().preprocess(image))
    if anew is not None and (anew.tensor is None or not np.array_equal(anew.tensor, recorded)):
        return None  # it keeps something of the lines before
    lab.own = Recorded(lab.names.candidate, alone, pipeline_of(lab.candidate))
    lab.patched = PatchedCandidate(lab.own)
    proof = f"in a batch with a line of {recorded.shape[3]} px, it is that of its trace"
    return replace(found, evidence=(*found.evidence, proof))


def _in_batch(lab: Laboratory, images: Sequence[Image], recorded: Array) -> Trace | None:
    """Return the first line's trace of a batch; None where the candidate takes none."""
    with lab.budget.network_run(recorded.size):
        made = lab.ask(lab.candidate, RunsBatches, lambda side: side.trace_batch(images))
    return made[0] if made else None


def _padded_cause(lab: Laboratory, recorded: Array, trace: Trace) -> Diagnosis | None:
    alone = trace.tensor
    if alone is None or alone.ndim != 4 or recorded.shape[:3] != alone.shape[:3]:
        return None
    width = alone.shape[3]
    if recorded.shape[3] <= width or not np.array_equal(recorded[..., :width], alone) or recorded[..., width:].any():
        return None
    name = lab.names.candidate
    proof = (
        f"alone, {name} makes a tensor of {width} columns of this line; its trace holds the same one, filled up with "
    )
    proof += f"0 to {recorded.shape[3]}"
    return lab.proven_cause(RESIZE, "resize.batch_padding", _BATCH.format(name), [proof], FIX_OF_BATCH)


_BATCH: Final = "{} fills a line up to the widest of its batch, and the network sees that"
FIX_OF_BATCH: Final = Fix(
    "run lines one by one (batch_size=1), or sort them by their ratio and batch those of nearly one width; or train "
    "with such padding"
)


def _shown_at_its_size(lab: Laboratory, trace: Trace, size: Made) -> tuple[Trace, str, list[Diagnosis]] | None:
    """Return the reference at the candidate's size if it has the candidate's pixels, in words, and what else it takes.

    That is another interpolation, if PaddleOCR's makes other pixels and another one makes all of these.
    """
    source, image, (reference, candidate) = offered(lab.reference.source, ResizesLines), lab.image, lab.names
    if source is None or image is None:
        lab.not_tried.append(f"resize: {reference}'s own resize at {candidate}'s size, which it can't be asked for")
        return None
    made = lab.attempt(lambda: source.line_stretched(image, size[:2]), "resize at another size")
    if made is None or made.tensor is None or made.tensor.shape[3] > size[2]:  # it may state more columns than it has
        return None
    filled = np.zeros((*made.tensor.shape[:3], size[2]), made.tensor.dtype)
    filled[..., : made.tensor.shape[3]] = made.tensor
    sizes = dict(zip(("height", "content_width", "width"), size, strict=True))
    parameters = {**lab.reference.parameters, RESIZE: {**lab.reference.parameters.get(RESIZE, {}), **sizes}}
    before = replace(lab.reference, resize=made.resize, tensor=filled, parameters=parameters)
    assert trace.tensor is not None
    is_recorded = made.resize is not None and trace.resize is not None
    here = f"{size[1]}x{size[0]}"
    if is_recorded and _are_same_pictures(made, trace):
        return before, f"resized to {here} by {reference}'s own code, the line is {candidate}'s, pixel by pixel", []
    ends = made.tensor.shape[3]
    if not is_recorded and np.allclose(made.tensor, trace.tensor[..., :ends], rtol=0, atol=2e-6):
        return before, f"resized to {here} by {reference}'s own code, the line is {candidate}'s", []
    if trace.resize is None or lab.reference.decode is None or lab.reference.decode.pixels is None:
        return None
    pixels = bgr(lab.reference)
    others = lab.ask(lab.reference, ChangesPictures, lambda side: list(side.resampled(pixels, size[:2])))
    for name, picture in others or []:
        if np.array_equal(picture, trace.resize) or np.array_equal(picture[..., ::-1], trace.resize):
            proof = f"resized to {here} by {name}, {reference}'s line is {candidate}'s, pixel by pixel"
            fix = f"resize in {candidate} as PaddleOCR does: cv2.resize(image, (width, height))"
            summary = f"{candidate} resizes by {name}, {reference} by cv2.INTER_LINEAR"
            cause = lab.proven_cause(RESIZE, "resize.interpolation", summary, [proof], fix)
            values = np.asarray(picture, np.float32).transpose(2, 0, 1) / 255
            filled[..., : size[1]] = (values - np.float32(0.5)) / np.float32(0.5)
            return replace(before, resize=picture, tensor=filled), proof, [cause]
    if (changed := _changed_line(lab, trace, pixels, size)) is not None:
        names, picture_of, tensor = changed
        proof = f"{names} and resized to {here} by {reference}'s own code, the line is {candidate}'s, pixel by pixel"
        fix = f"let {candidate} resize the line as it is in the file; here it is {names} before the resize"
        cause = lab.proven_cause(RESIZE, "resize.pixels", f"{candidate} feeds a line {names}", [proof], fix)
        filled[..., : size[1]] = tensor
        return replace(before, resize=picture_of, tensor=filled), proof, [cause]
    said = f"resize: {reference}'s own resize to {here} makes other pixels"
    if others is None:
        lab.not_tried.append(f"resize: other interpolations and changed lines, which {reference} can't be asked for")
    else:
        said += f", {candidate}'s by no interpolation, and not of a line turned to grey, exchanged in light and dark, "
        said += "evened out, or encoded as JPEG"
    lab.tried.append(said)
    return None


def _changed_line(lab: Laboratory, trace: Trace, pixels: Array, size: Made) -> tuple[str, Array, Array] | None:
    """Return in words how a port changes a line before it resizes it, with its picture and tensor then; None if none.

    Every pixel must be that of the reference's own resize of the changed line.
    """
    found = []
    for name, changed in lab.ask(lab.reference, ChangesPictures, lambda side: list(side.recoded(pixels))) or []:
        made = lab.ask(lab.reference, ResizesLines, lambda side, line=changed: side.line_stretched(line, size[:2]))  # type: ignore[misc]
        if made is None or made.resize is None or made.tensor is None or trace.resize is None:
            continue
        if np.array_equal(made.resize, trace.resize):
            found.append((name, made.resize, made.tensor))
    return (" or ".join(name for name, _, _ in found), *found[0][1:]) if found else None


def _by_rules(lab: Laboratory, trace: Trace, proof: str, pipeline: Any = None) -> list[Diagnosis] | None:
    """Return the causes of another size: the ways in which the rules of the two sides differ, as far as they show here.

    None where a side's rule is not known, or does not say this line's size.
    """
    line = None if trace.decode is None else (int(trace.decode.shape[0]), int(trace.decode.shape[1]))
    own_size, right_size = size_of_line(trace), size_of_line(lab.reference)
    if line is None or own_size is None or right_size is None:
        return None
    right = _rule_of(lab, pipeline_of(lab.reference), lab.reference, {line: right_size})
    own = _rule_of(lab, pipeline or (lab.own if lab.can_run else None), trace, {line: own_size})
    exact = _as_deployed(lab, trace)
    if own is None and exact and right is not None and right.kind == SQUEEZED:
        own = LineRule(AS_WIDE, right.height, right.base)  # all of its tensor says so
    if right is None or own is None or right.size(line) != right_size or own.size(line) != own_size:
        return None
    is_given = trace.parameters.get(RESIZE, {}).get("input_shape") is not None
    found = line_rule_departures(right, own, line, is_given=is_given)
    if not found:
        return None
    sizes = f"{line_sizes_text(lab, trace)}; {proof}"
    causes = [_cause_of_rule(lab, each, right, own, [sizes, *(exact if each == WIDER else [])]) for each in found]
    if WIDER not in found or right.kind != SQUEEZED:
        return causes
    # Its fix is to evaluate otherwise: what differs then is said too, or the fix would leave a difference.
    deployed = right._replace(kind=AS_WIDE)
    rest = [each for each in line_rule_departures(deployed, own, line, is_given=is_given) if each not in found]
    return causes + [_cause_of_rule(lab, each, deployed, own, [f"with eval_mode: {sizes}"]) for each in rest]


WIDER: Final = Departure("resize.width", ("kind",))


def _rule_of(lab: Laboratory, side: Any, trace: Trace, here: dict[Size, Made]) -> LineRule | None:
    """Return the rule that predicts a side's sizes of this line and of probes; of one that can't be asked, the stated.

    A side that stops at probes, or that takes files alone, is one of these.
    """
    sizes = dict(here)
    for probe in PROBES if side is not None else ():
        made = lab.attempt(lambda probe=probe: side.preprocess(np.full((*probe, 3), 90, np.uint8)))  # type: ignore[misc]
        size = None if made is None or made.error is not None else size_of_line(made)
        if size is not None and made is not None and not SCALED.keys() & made.parameters.get(RESIZE, {}).keys():
            sizes[probe] = size
    if len(sizes) <= len(PROBES) // 2:
        stated = line_rule_of_parameters(trace.parameters.get(RESIZE, {}))
        return stated if stated is not None and all(stated.size(line) == made for line, made in sizes.items()) else None
    fitting = fitting_line_rules(sizes)
    return fitting[0] if fitting else None


def _as_deployed(lab: Laboratory, trace: Trace) -> list[str]:
    """Return the proof that the reference's operators with eval_mode make the candidate's tensor; nothing if not."""
    source, image = offered(lab.reference.source, ResizesLines), lab.image
    right, own = lab.reference.tensor, trace.tensor
    if source is None or image is None or right is None or own is None:
        return []
    rule = line_rule_of_parameters(lab.reference.parameters.get(RESIZE, {}))
    base = int(right.shape[3]) if rule is None else rule.base
    made = lab.attempt(lambda: source.line_as_wide(image, (int(own.shape[2]), base)))
    if made is None or made.tensor is None or not np.array_equal(made.tensor, own):
        return []
    reference, candidate = lab.names
    return [f"with eval_mode, {reference}'s tensor is {candidate}'s, bit for bit"]


def _cause_of_rule(
    lab: Laboratory, departure: Departure, right: LineRule, own: LineRule, proof: Sequence[str]
) -> Diagnosis:
    reference, candidate = lab.names
    cause = departure.cause
    summary = f"{candidate} {own.says()}; {reference} {right.says()}"
    fix: Fix | str = f"in {candidate}, resize lines as {reference} does: it {right.says()}"
    if departure == WIDER and right.kind == SQUEEZED:
        fix = AS_DEPLOYED
    elif departure.fields == ("base",):
        widths = [f"{each.base} px" if each.base else "none" for each in (right, own)]
        summary = f"the base width of lines is {widths[1]} in {candidate}, {widths[0]} in {reference}"
        fix = f"fill lines up to {widths[0]} in {candidate}, as image_shape of {reference} says"
    elif cause == "resize.height":
        summary = f"{candidate} makes lines {own.height} px high, {reference} {right.height}"
        fix = f"set the height of image_shape in {candidate} to {right.height}, as {reference} has it"
    elif cause == "resize.rounding":
        usual = "PaddleOCR rounds up, but cuts the widest to a whole pixel"
        ways = [usual if each.rounding == PADDLEOCR else f"it rounds {each.rounding}" for each in (right, own)]
        summary = f"{candidate} rounds a line's own width otherwise: {ways[1]}; {reference}: {ways[0]}"
        fix = f"round in {candidate} as {reference} does: {ways[0]}"
    elif cause == "resize.padding":
        summary = f"{candidate} fills lines up to a multiple of {own.multiple} px"
        fix = f"do not fill lines up in {candidate} beyond the base width"
    elif cause == "resize.max_width":
        wide = own.most if own.most is not None else right.most
        who = candidate if own.most is not None else reference
        summary = f"{who} squeezes lines that are wider than {wide} px"
        fix = f"cut lines that would be wider than {wide} px before they are recognised, on both sides"
    return lab.proven_cause(RESIZE, cause, summary, list(proof), fix)
