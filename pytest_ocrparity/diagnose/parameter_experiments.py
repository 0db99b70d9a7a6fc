"""Experiments with the parameters that ran with different values: the candidate, given the reference's one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.artifacts.configs import scale_value
from pytest_ocrparity.compare.parameter_differences import is_close, parameter_differences
from pytest_ocrparity.comparison import ParameterDifference
from pytest_ocrparity.contract import (
    Declares,
    LeaksGlobals,
    TakesParameters,
    WasGiven,
    WordsFixes,
    offered,
    pipeline_of,
)
from pytest_ocrparity.diagnose.laboratory import BEFORE_NETWORK, Laboratory
from pytest_ocrparity.diagnose.patched_candidate import Patch, Remedy
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace

RULES = {"input_shape", "image_shape", "resize_long"}
"""Ways to resize other than by limits; a difference is named after the one that is involved, in this order."""


@dataclass(frozen=True)
class Group:
    """Parameters of one stage that go together, with the reference's values; `cause` is what they prove."""

    stage: str
    cause: str
    values: Mapping[str, Any]
    differences: tuple[ParameterDifference, ...]


def groups(lab: Laboratory, stage: str) -> list[Group]:
    """Return the differing parameters of a stage, grouped by the cause that they would be."""
    candidate = _with_all_parameters(lab, lab.candidate)
    ours, theirs = lab.reference.parameters.get(stage, {}), candidate.parameters.get(stage, {})
    # What only one side declares is not known to differ, except where both name their rule of resizing: each has the
    # parameters of its own.
    has_rules = stage == RESIZE and "rule" in ours and "rule" in theirs
    differing = [
        each
        for each in parameter_differences(lab.reference, candidate)
        if each.stage == stage and (has_rules or (each.name in ours and each.name in theirs))
    ]
    by_cause: dict[str, list[ParameterDifference]] = {}
    for each in differing:
        by_cause.setdefault(_cause(each, ours, theirs), []).append(each)
    found = []
    for cause, members in by_cause.items():
        values = {each.name: each.reference for each in members}
        if stage == RESIZE and cause != "resize.max_side_limit":
            values = {name: value for name, value in ours.items() if name != "max_side_limit"}
        found.append(Group(stage, cause, values, tuple(members)))
    return found


def with_all(lab: Laboratory, stage: str, base: Remedy) -> Remedy | None:
    """Return a remedy with every differing parameter of a stage set to the reference's; None where it can't be."""
    chosen = groups(lab, stage)
    if not chosen or _why_not_varied(lab, base, stage) is not None:
        return None
    try:
        return _patched(base, chosen)
    except _RefusedError as error:
        lab.not_tried.append(f"{lab.names[1]} with {lab.names[0]}'s parameters: {error}")
        return None


def _with_all_parameters(lab: Laboratory, candidate: Trace) -> Trace:
    """Return the trace with what its side always runs with, where it stopped before recording it."""
    source = pipeline_of(candidate)
    if source is None or candidate.error is None:
        return candidate
    always = lab.attempt(lambda: source.parameters)
    return replace(candidate, parameters={**(always or {}), **candidate.parameters})


def _cause(each: ParameterDifference, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    if each.stage == DECODE:
        return "decode.channel_order" if each.name == "img_mode" else "decode.orientation"
    if each.stage == RESIZE:
        if each.name == "max_side_limit":
            return "resize.max_side_limit"
        involved = {ours.get("rule"), theirs.get("rule")} & RULES
        return next(
            (f"resize.{rule}" for rule in ("input_shape", "image_shape", "resize_long") if rule in involved),
            "resize.limits",
        )
    if each.stage == TENSOR:
        if each.name in ("mean", "std"):
            reverse = all(_are_reversed(ours.get(name), theirs.get(name)) for name in ("mean", "std"))
            return "normalize.mean_std_order" if reverse else "normalize.mean_std"
        return f"normalize.{each.name}"
    return f"postprocess.{each.name}"


def _are_reversed(one: Any, two: Any) -> bool:
    return (
        isinstance(one, list)
        and isinstance(two, list)
        and len(one) == len(two)
        and bool(np.allclose(one[::-1], two, rtol=1e-5))
    )


def by_parameters(lab: Laboratory, stage: str, puts_right: Callable[[Remedy], str | None]) -> list[Diagnosis]:
    """Return a diagnosis for each group of parameters without which a stage does not come out as in the reference.

    All groups together must put the stage right; those that can be left out are. The remedy then holds them.

    Args:
        lab: the diagnosis.
        stage: whose parameters are tried.
        puts_right: runs the stage, and returns in words what is left, or None where the stage still differs.
    """
    needed, base = groups(lab, stage), lab.remedy
    if not needed:
        return []
    if (why := _why_not_varied(lab, base, stage)) is not None:
        names = ", ".join(each.name for group in needed for each in group.differences)
        lab.not_tried.append(f"{lab.names[1]} with other {names}: {why}")
        return []
    try:
        needed = [group for group in needed if _takes(lab, base, group)]
        whole = _tried(base, needed, puts_right) if needed else None
    except _RefusedError as error:
        lab.not_tried.append(f"{lab.names[1]} with {lab.names[0]}'s parameters: {error}")
        return []
    if whole is None:
        for group in needed:
            _say_what_it_does(lab, base, group)
        return []
    for group in list(needed):
        fewer = [each for each in needed if each is not group]
        left = _tried(base, fewer, puts_right)
        if left is not None:
            needed, whole = fewer, left
    lab.remedy = whole[0]
    lab.forget()
    return [_diagnosis(lab, group, needed, whole[1]) for group in needed]


def _why_not_varied(lab: Laboratory, base: Remedy, stage: str) -> str | None:
    """Return why nothing may be concluded from `varied()` at a stage, or None.

    The control: given its own parameters again it must be the same side, and the side itself must stay as it is.
    """
    pipeline = base.pipeline
    if offered(pipeline, TakesParameters) is None:
        return "this pipeline has no varied()"
    key = f"control of {stage} {id(pipeline)}"
    if key not in lab.memo:
        lab.memo[key] = _control(lab, base, stage)
    why: str | None = lab.memo[key]
    return why


def _control(lab: Laboratory, base: Remedy, stage: str) -> str | None:
    own = _with_all_parameters(lab, lab.candidate).parameters.get(stage, {})
    before = _ran(lab, base, stage)[1]
    same = lab.attempt(lambda: base.varied({stage: dict(own)}))
    if same is None:  # what it runs with may be no whole set of what it takes
        return None
    if same.pipeline is base.pipeline:
        return "its varied() changes the side itself, where another side is asked for"
    if not _is_close(before, _ran(lab, same, stage)[1]):
        return "with its own parameters given again, varied() returns another side than this one"
    return None


class _RefusedError(Exception):
    """A pipeline does not take the parameters of the other."""


def _patch(group: Group) -> Patch:
    return Patch(group.stage, group.cause, {group.stage: group.values})


def _patched(base: Remedy, chosen: Sequence[Group]) -> Remedy:
    """Return the remedy with these groups on top. Raises _RefusedError."""
    if not chosen:
        return base
    changes: dict[str, dict[str, Any]] = {}
    for group in chosen:
        changes.setdefault(group.stage, {}).update(group.values)
    try:
        made = base.varied(changes)
    except Exception as error:  # what one side can be set to, the other may refuse
        raise _RefusedError(f"{type(error).__name__}: {error}") from error
    if made is None:
        raise _RefusedError("it takes no other parameters")
    return replace(made, patches=(*base.patches, *map(_patch, chosen)))


def _tried(
    base: Remedy, chosen: Sequence[Group], puts_right: Callable[[Remedy], str | None]
) -> tuple[Remedy, str] | None:
    """Return the remedy with these groups, and what is left of the difference, or None where it stays."""
    remedy = _patched(base, chosen)
    amount = puts_right(remedy)
    return None if amount is None else (remedy, amount)


def _ran(lab: Laboratory, remedy: Remedy, stage: str) -> tuple[Mapping[str, Any], Any]:
    """Run a stage; return the parameters that took effect there, and what came out."""
    if stage == DETECTIONS:
        boxes = lab.postprocessed(remedy)
        return (lab.attempt(lambda: remedy.pipeline.parameters) or {}).get(DETECTIONS, {}), boxes
    trace = lab.preprocessed(remedy)
    if trace is None:
        return {}, None
    made: Any = {DECODE: trace.decode, RESIZE: trace.resize}.get(stage)
    return trace.parameters.get(stage, {}), trace.tensor if made is None else made


def _takes(lab: Laboratory, base: Remedy, group: Group) -> bool:
    """Tell whether the candidate really runs with a group's values when it is given them; note where it does not."""
    ran, _ = _ran(lab, _patched(base, [group]), group.stage)
    ignored = [
        each.name
        for each in group.differences
        if each.reference is not None
        and not (plain(ran.get(each.name)) == each.reference or is_close(ran.get(each.name), each.reference))
    ]
    if ignored:
        lab.not_tried.append(
            f"{group.cause}: given {lab.names[0]}'s {', '.join(ignored)}, {lab.names[1]}'s varied() keeps its own"
        )
    return not ignored


def _say_what_it_does(lab: Laboratory, base: Remedy, group: Group) -> None:
    """Say what a group alone changes."""
    names = ", ".join(each.name for each in group.differences)
    before, after = (_ran(lab, remedy, group.stage)[1] for remedy in (base, _patched(base, [group])))
    output = _OUTPUT[group.stage].removesuffix(" is")
    given = f"{group.cause}: with {lab.names[0]}'s {names}, {lab.names[1]}'s {output}"
    is_unchanged = before is not None and after is not None and _is_equal(before, after)
    # Not "ruled out": a side may say that it runs with another value, and run on with its own.
    lab.tried.append(f"{given} {'does not change' if is_unchanged else 'changes, and still differs'}")


def _is_close(one: Any, two: Any) -> bool:
    """Compare two outputs of a stage; numbers that are kept as float32 may be rounded when they are given again."""
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray) and np.issubdtype(one.dtype, np.floating):
        return one.shape == two.shape and np.allclose(one, two, rtol=1e-5, atol=1e-5, equal_nan=True)
    return _is_equal(one, two)


def _is_equal(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return np.array_equal(one, two, equal_nan=bool(np.issubdtype(one.dtype, np.floating)))
    return bool(one == two)


_OUTPUT = {
    DECODE: "decoded image is",
    RESIZE: "resized image is",
    TENSOR: "tensor is",
    DETECTIONS: "set of boxes is",
}


def _diagnosis(lab: Laboratory, group: Group, needed: Sequence[Group], amount: str) -> Diagnosis:
    one, two = lab.names
    names = [each.name for each in group.differences if each.reference is not None and each.name != "rule"]
    given = f"with {one}'s {', '.join(names)}" if names else f"without {group.differences[0].name}"
    others = [each.name for other in needed if other is not group for each in other.differences]
    together = f" and {', '.join(others)} together" if others else ""
    proof = f"{given}{together}, {two}'s {_OUTPUT[group.stage]} {one}'s{f' ({amount})' if amount else ''}"
    proof += f"; with {', '.join(others)} alone it is not" if others else ""
    written = [row for trace in (lab.reference, lab.candidate) for row in _written(lab, trace, group)]
    return lab.claim(group.stage, group.cause, _summary(lab, group), [proof, *written], _fix(lab, group))


def _summary(lab: Laboratory, group: Group) -> str:
    """Return the values that ran: those that both sides have beside each other, the others by side."""
    one, two = lab.names
    shown = [each for each in group.differences if each.name != "rule"] or list(group.differences)
    both = [each for each in shown if each.reference is not None and each.candidate is not None]
    told = [f"{each.name} {_value(each.reference)} in {one}, {_value(each.candidate)} in {two}" for each in both]
    ours = [f"{each.name} {_value(each.reference)}" for each in shown if each.candidate is None]
    theirs = [f"{each.name} {_value(each.candidate)}" for each in shown if each.reference is None]
    told += [f"{', '.join(values)} in {name} only" for name, values in ((one, ours), (two, theirs)) if values]
    reverse = "mean and std are reversed: " if group.cause == "normalize.mean_std_order" else ""
    return reverse + "; ".join(told)


def _is_what_ran(name: str, said: Any, ran: Any) -> bool:
    """Tell whether a yml says the value that ran, which is kept as float32 and may be written as a fraction."""
    if name == "scale" and isinstance(said, str):
        said = scale_value(said, Path(), name)
    return bool(said == ran or is_close(said, ran))


def _written(lab: Laboratory, trace: Trace, group: Group) -> list[str]:
    """Return where a side's yml does not say what was used: the third column beside the two that ran."""
    said = lab.ask(trace, Declares, lambda side: side.written)
    ran = trace.parameters.get(group.stage, {})
    known = [each.name for each in group.differences if each.name != "rule" and ran.get(each.name) is not None]
    if said is None:
        return []
    own = said.get(group.stage) or {}
    silent = [name for name in known if name not in own]
    overruled = [name for name in known if name in own and not _is_what_ran(name, own[name], ran[name])]
    rows = []
    if silent:
        names, values = ", ".join(silent), ", ".join(_value(ran[name]) for name in silent)
        rows.append(f"the yml of {trace.pipeline} does not set {names}: {values}, by default or option")
    given = lab.ask(trace, WasGiven, lambda side: side.given)
    for name in overruled:
        who = "" if given is None else ", by " + given.get(group.stage, {}).get(name, "paddleocr's default")
        said_and_ran = f"sets {name} to {_value(own[name])}; {_value(ran[name])} was used{who}"
        rows.append(f"the yml of {trace.pipeline} {said_and_ran}")
    return rows


def _fix(lab: Laboratory, group: Group) -> Fix:
    fix = lab.ask(lab.candidate, WordsFixes, lambda side: side.parameter_fix(group.stage, group.values))
    one, two = lab.names
    values = ", ".join(f"{name} = {_value(value)}" for name, value in group.values.items() if value is not None)
    gone = ", ".join(name for name, value in group.values.items() if value is None)
    told = [f"give {two} {one}'s {values}"] * bool(values)
    told += [f"take {gone} away from {two}, as {one} has none"] * bool(gone)
    return fix if isinstance(fix, Fix) else Fix("; ".join(told))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


LEAK = "reference.global_leak"


def examine_leaks(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Return the causes with those replaced that a key of the training yml's `Global` explains.

    The experiment: built without that key, the training operators of the stage run with the candidate's parameters.
    """
    leaked = lab.ask(lab.reference, LeaksGlobals, lambda side: side.leaked()) or {}
    if lab.image is None or not any(each.stage in leaked.values() for each in found if each.stage in BEFORE_NETWORK):
        return found
    source = lab.ask(lab.reference, LeaksGlobals, lambda side: side.without_leak())
    if source is None:
        return found
    clean = source.preprocess(lab.image)
    # What one side lacks, such as a cap that did not act, is no difference that a leak has to explain.
    differing = [p for p in parameter_differences(clean, lab.candidate) if None not in (p.reference, p.candidate)]
    left = {each.stage for each in differing}
    replaced: list[Diagnosis] = []
    for diagnosis in found:
        keys = [f"Global.{key}" for key, stage in leaked.items() if stage == diagnosis.stage]
        is_leak = keys and diagnosis.stage not in left and diagnosis.cause in PARAMETER_CAUSES
        replaced.append(_leak(lab, diagnosis, keys) if is_leak else diagnosis)
    return replaced


PARAMETER_CAUSES = (
    *("decode.channel_order", "decode.orientation", "resize.limits", "resize.image_shape", "resize.resize_long"),
    *("normalize.mean_std", "normalize.mean_std_order", "normalize.scale", "normalize.order"),
)


def _leak(lab: Laboratory, diagnosis: Diagnosis, keys: list[str]) -> Diagnosis:
    one, two = lab.names
    names = ", ".join(keys)
    proof = f"built without {names}, {one}'s operators of this stage run with {two}'s parameters"
    summary = f"{names} of the training yml reached {one}'s operators: {diagnosis.summary}"
    change = Change("train.config", {key.removeprefix("Global."): None for key in keys}, "Global")
    fix = Fix(f"rename or remove {names} in the training yml, and evaluate again", (change,))
    return lab.claim(diagnosis.stage, LEAK, summary, [proof, *diagnosis.evidence], fix)
