"""Experiments with parameters: run the candidate with the reference's values, and leave them out one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from pytest_ocrparity.artifacts.configs import config_scale
from pytest_ocrparity.compare.parameter_differences import parameter_differences, parameters_agree
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
from pytest_ocrparity.diagnose.patched_candidate import Patch, PatchedCandidate
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.wording import value_text

FixesStage: TypeAlias = "Callable[[PatchedCandidate], str | None]"
"""Runs a stage, and returns in words how well it agrees with the reference; None where it still differs."""

OWN_CAUSES = {
    "max_side_limit": "resize.max_side_limit",
    "page_size": "resize.max_side_limit",
    "least_size": "resize.pixels",
    "doc_preprocessor": "pipeline.doc_preprocessor",
    "vertical_padding": "resize.padding",
}
"""The parameters of the resize that belong to no rule, each with its cause."""

NOT_IN_YAML = ("rule", "doc_preprocessor", "page_size", "least_size", "vertical_padding")
"""The parameters of the resize that no YAML file beside a model sets."""

RULES = ("input_shape", "image_shape", "resize_long")
"""Ways to resize other than by limits; a difference is named after the first of them that a side uses."""


@dataclass(frozen=True)
class Group:
    """Parameters of one stage that belong to one cause, with the reference's values."""

    stage: str
    cause: str
    values: Mapping[str, Any]
    differences: tuple[ParameterDifference, ...]


def parameter_experiment_groups(lab: Laboratory, stage: str) -> list[Group]:
    """Return the differing parameters of a stage, grouped by cause."""
    candidate = _with_parameters_of_every_image(lab)
    reference_values, candidate_values = (side.parameters.get(stage, {}) for side in (lab.reference, candidate))
    # A parameter that one side alone reports is not known to differ. Where both report their resize rule it is, as each
    # rule has parameters of its own.
    has_rules = stage == RESIZE and "rule" in reference_values and "rule" in candidate_values
    differing = [
        each
        for each in parameter_differences(lab.reference, candidate)
        if each.stage == stage and (has_rules or (each.name in reference_values and each.name in candidate_values))
    ]
    by_cause: dict[str, list[ParameterDifference]] = {}
    for each in differing:
        by_cause.setdefault(_cause_of_parameter(each, reference_values, candidate_values), []).append(each)
    found = []
    for cause, members in by_cause.items():
        values = {each.name: each.reference for each in members}
        if stage == RESIZE and cause not in OWN_CAUSES.values():
            values = {name: value for name, value in reference_values.items() if name not in OWN_CAUSES}
        found.append(Group(stage, cause, values, tuple(members)))
    return found


def with_reference_parameters(lab: Laboratory, stage: str, base: PatchedCandidate) -> PatchedCandidate | None:
    """Return a patched candidate with all differing parameters of a stage put right; None where it can't be."""
    chosen = parameter_experiment_groups(lab, stage)
    if not chosen or _why_not_varied(lab, base, stage) is not None:
        return None
    try:
        return _with_parameter_groups(base, chosen)
    except _RefusedError as error:
        lab.not_tried.append(f"{lab.names.candidate} with {lab.names.reference}'s parameters: {error}")
        return None


def _with_parameters_of_every_image(lab: Laboratory) -> Trace:
    """Return the candidate's trace; where its side stopped, with the parameters that it uses for every image."""
    candidate, source = lab.candidate, pipeline_of(lab.candidate)
    if source is None or candidate.error is None:
        return candidate
    always = lab.attempt(lambda: source.parameters)
    return replace(candidate, parameters={**(always or {}), **candidate.parameters})


def _cause_of_parameter(each: ParameterDifference, reference: Mapping[str, Any], candidate: Mapping[str, Any]) -> str:
    if each.stage == DECODE:
        return "decode.channel_order" if each.name == "img_mode" else "decode.orientation"
    if each.stage == RESIZE:
        if each.name in OWN_CAUSES:
            return OWN_CAUSES[each.name]
        used = {reference.get("rule"), candidate.get("rule")}
        return next((f"resize.{rule}" for rule in RULES if rule in used), "resize.limits")
    if each.stage == TENSOR:
        if each.name in ("mean", "std"):
            reverse = all(_are_reversed(reference.get(name), candidate.get(name)) for name in ("mean", "std"))
            return "normalize.mean_std_order" if reverse else "normalize.mean_std"
        return f"normalize.{each.name}"
    return f"postprocess.{each.name}"


def _are_reversed(reference: Any, candidate: Any) -> bool:
    return (
        isinstance(reference, list)
        and isinstance(candidate, list)
        and len(reference) == len(candidate)
        and bool(np.allclose(reference[::-1], candidate, rtol=1e-5))
    )


def by_parameters(lab: Laboratory, stage: str, fixes_stage: FixesStage) -> list[Diagnosis]:
    """Return a diagnosis for each group of parameters that is needed to put a stage right.

    All groups together must put it right; those that can be left out are. `lab.patched` then holds the needed ones.

    Args:
        lab: the diagnosis.
        stage: the stage whose parameters are tried.
        fixes_stage: runs the stage, see `FixesStage`.
    """
    needed, base = parameter_experiment_groups(lab, stage), lab.patched
    if not needed:
        return []
    if (why := _why_not_varied(lab, base, stage)) is not None:
        names = ", ".join(each.name for group in needed for each in group.differences)
        lab.not_tried.append(f"{lab.names.candidate} with other {names}: {why}")
        return []
    try:
        needed = [group for group in needed if _accepts_group(lab, base, group)]
        whole = _try_groups(base, needed, fixes_stage) if needed else None
    except _RefusedError as error:
        lab.not_tried.append(f"{lab.names.candidate} with {lab.names.reference}'s parameters: {error}")
        return []
    if whole is None:
        for group in needed:
            _note_effect(lab, base, group)
        return []
    for group in list(needed):
        fewer = [each for each in needed if each is not group]
        left = _try_groups(base, fewer, fixes_stage)
        if left is not None:
            needed, whole = fewer, left
    lab.patched = whole[0]
    lab.reset_notes()
    return [_parameter_diagnosis(lab, group, needed, whole[1]) for group in needed]


def _why_not_varied(lab: Laboratory, base: PatchedCandidate, stage: str) -> str | None:
    """Return why experiments with `varied()` would prove nothing at a stage, or None where they may run.

    As a control, the candidate is given its own parameters: its output must stay, and so must the side itself.
    """
    pipeline = base.pipeline
    if offered(pipeline, TakesParameters) is None:
        return "this pipeline has no varied()"
    key = f"control of {stage} {id(pipeline)}"
    if key not in lab.memo:
        lab.memo[key] = _control_experiment(lab, base, stage)
    why: str | None = lab.memo[key]
    return why


def _control_experiment(lab: Laboratory, base: PatchedCandidate, stage: str) -> str | None:
    own = _with_parameters_of_every_image(lab).parameters.get(stage, {})
    before = _run_stage(lab, base, stage)[1]
    same = lab.attempt(lambda: base.varied({stage: dict(own)}))
    if same is None:  # the parameters that it reports may not be all that it takes
        return None
    if same.pipeline is base.pipeline:
        return "its varied() changes the side itself, where another side is asked for"
    if not _is_close(before, _run_stage(lab, same, stage)[1]):
        return "with its own parameters given again, varied() returns another side than this one"
    return None


class _RefusedError(Exception):
    """The candidate does not take the reference's parameters."""


def _patch_of_group(group: Group) -> Patch:
    return Patch(group.stage, group.cause, {group.stage: group.values})


def _with_parameter_groups(base: PatchedCandidate, chosen: Sequence[Group]) -> PatchedCandidate:
    """Return a patched candidate with these groups on top. Raises _RefusedError."""
    if not chosen:
        return base
    changes: dict[str, dict[str, Any]] = {}
    for group in chosen:
        changes.setdefault(group.stage, {}).update(group.values)
    try:
        made = base.varied(changes)
    except Exception as error:  # a side may refuse what the other runs with
        raise _RefusedError(f"{type(error).__name__}: {error}") from error
    if made is None:
        raise _RefusedError("it takes no other parameters")
    return replace(made, patches=(*base.patches, *map(_patch_of_group, chosen)))


def _try_groups(
    base: PatchedCandidate, chosen: Sequence[Group], fixes_stage: FixesStage
) -> tuple[PatchedCandidate, str] | None:
    """Return a patched candidate with these groups, and how well its stage agrees; None where it still differs."""
    patched = _with_parameter_groups(base, chosen)
    amount = fixes_stage(patched)
    return None if amount is None else (patched, amount)


def _run_stage(lab: Laboratory, patched: PatchedCandidate, stage: str) -> tuple[Mapping[str, Any], Any]:
    """Run a stage; return the parameters that it reports, and its output."""
    if stage == DETECTIONS:
        boxes = lab.run_postprocess(patched)
        return (lab.attempt(lambda: patched.pipeline.parameters) or {}).get(DETECTIONS, {}), boxes
    trace = lab.run_preprocessing(patched)
    if trace is None:
        return {}, None
    made: Any = {DECODE: trace.decode, RESIZE: trace.resize}.get(stage)
    return trace.parameters.get(stage, {}), trace.tensor if made is None else made


def _accepts_group(lab: Laboratory, base: PatchedCandidate, group: Group) -> bool:
    """Return whether the candidate reports a group's values when it is given them; note those that it does not."""
    ran, _ = _run_stage(lab, _with_parameter_groups(base, [group]), group.stage)
    ignored = [
        each.name
        for each in group.differences
        if each.reference is not None
        and not (jsonable(ran.get(each.name)) == each.reference or parameters_agree(ran.get(each.name), each.reference))
    ]
    if ignored:
        reference, candidate = lab.names
        text = f"{group.cause}: given {reference}'s {', '.join(ignored)}, {candidate}'s varied() keeps its own"
        lab.not_tried.append(text)
    return not ignored


def _note_effect(lab: Laboratory, base: PatchedCandidate, group: Group) -> None:
    """Note whether a group alone changes the output of its stage."""
    names = ", ".join(each.name for each in group.differences)
    before, after = (
        _run_stage(lab, patched, group.stage)[1] for patched in (base, _with_parameter_groups(base, [group]))
    )
    given = f"{group.cause}: with {lab.names.reference}'s {names}, {lab.names.candidate}'s {_OUTPUT[group.stage]}"
    is_unchanged = before is not None and after is not None and _is_equal(before, after)
    # Not "ruled out": a side may report another value and still run with its own.
    lab.tried.append(f"{given} {'does not change' if is_unchanged else 'changes, and still differs'}")


def _is_close(before: Any, after: Any) -> bool:
    """Compare two outputs of a stage; a parameter may be rounded to float32 on its way through `varied()`."""
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray) and np.issubdtype(before.dtype, np.floating):
        return before.shape == after.shape and np.allclose(before, after, rtol=1e-5, atol=1e-5, equal_nan=True)
    return _is_equal(before, after)


def _is_equal(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return np.array_equal(before, after, equal_nan=bool(np.issubdtype(before.dtype, np.floating)))
    return bool(before == after)


_OUTPUT = {DECODE: "decoded image", RESIZE: "resized image", TENSOR: "tensor", DETECTIONS: "set of boxes"}
"""What a stage makes, by its name."""


def _parameter_diagnosis(lab: Laboratory, group: Group, needed: Sequence[Group], amount: str) -> Diagnosis:
    reference, candidate = lab.names
    names = [each.name for each in group.differences if each.reference is not None and each.name != "rule"]
    given = f"with {reference}'s {', '.join(names)}" if names else f"without {group.differences[0].name}"
    others = [each.name for other in needed if other is not group for each in other.differences]
    together = f" and {', '.join(others)} together" if others else ""
    proof = f"{given}{together}, {candidate}'s {_OUTPUT[group.stage]} is {reference}'s"
    proof += f" ({amount})" if amount else ""
    proof += f"; with {', '.join(others)} alone it is not" if others else ""
    written = [row for trace in (lab.reference, lab.candidate) for row in _yaml_evidence(lab, trace, group)]
    return lab.proven_cause(
        group.stage, group.cause, _values_summary(lab, group), [proof, *written], _parameter_fix(lab, group)
    )


def _values_summary(lab: Laboratory, group: Group) -> str:
    """Return the values that ran, those of both sides first, then those of one side only."""
    reference, candidate = lab.names
    shown = [each for each in group.differences if each.name != "rule"] or list(group.differences)
    both = [each for each in shown if each.reference is not None and each.candidate is not None]
    parts = [
        f"{each.name} {value_text(each.reference)} in {reference}, {value_text(each.candidate)} in {candidate}"
        for each in both
    ]
    by_side = (
        (reference, [f"{each.name} {value_text(each.reference)}" for each in shown if each.candidate is None]),
        (candidate, [f"{each.name} {value_text(each.candidate)}" for each in shown if each.reference is None]),
    )
    parts += [f"{', '.join(values)} in {name} only" for name, values in by_side if values]
    reverse = "mean and std are reversed: " if group.cause == "normalize.mean_std_order" else ""
    return reverse + "; ".join(parts)


def _is_what_ran(name: str, said: Any, ran: Any) -> bool:
    """Return whether a YAML file sets the value that ran; it may write a fraction, or more digits."""
    if name == "scale" and isinstance(said, str):
        said = config_scale(said, Path(), name)
    return bool(said == ran or parameters_agree(said, ran))


def _yaml_evidence(lab: Laboratory, trace: Trace, group: Group) -> list[str]:
    """Return the parameters whose value that ran is not the one in the side's YAML file, as rows of evidence."""
    said = lab.ask(trace, Declares, lambda side: side.written)
    ran = trace.parameters.get(group.stage, {})
    known = [each.name for each in group.differences if each.name not in NOT_IN_YAML and ran.get(each.name) is not None]
    if said is None:
        return []
    own = said.get(group.stage) or {}
    given = lab.ask(trace, WasGiven, lambda side: side.given)
    by_whom: dict[str, list[str]] = {}
    for name in known:
        who = "" if given is None else ", by " + given.get(group.stage, {}).get(name, "paddleocr's default")
        by_whom.setdefault(who, []).append(name)
    file, rows = f"the YAML file of {trace.pipeline}", []
    for who, names in by_whom.items():
        if unset := [name for name in names if name not in own]:
            used = (
                f"{' and '.join(value_text(ran[name]) for name in unset)} {'was' if len(unset) == 1 else 'were'} used"
            )
            rows.append(f"{file} does not set {' or '.join(unset)}; {used}{who}")
        rows += [
            f"{file} sets {name} to {value_text(own[name])}; {value_text(ran[name])} was used{who}"
            for name in names
            if name in own and not _is_what_ran(name, own[name], ran[name])
        ]
    return rows


def _parameter_fix(lab: Laboratory, group: Group) -> Fix:
    fix = lab.ask(lab.candidate, WordsFixes, lambda side: side.parameter_fix(group.stage, group.values))
    reference, candidate = lab.names
    values = ", ".join(f"{name} = {value_text(value)}" for name, value in group.values.items() if value is not None)
    surplus = ", ".join(name for name, value in group.values.items() if value is None)
    steps = [f"give {candidate} {reference}'s {values}"] * bool(values)
    steps += [f"take {surplus} away from {candidate}, as {reference} has none"] * bool(surplus)
    return fix if isinstance(fix, Fix) else Fix("; ".join(steps))


LEAK: Final = "reference.global_leak"
PARAMETER_CAUSES: Final = (
    *("decode.channel_order", "decode.orientation", "resize.limits", "resize.image_shape", "resize.resize_long"),
    *("resize.width", "resize.height", "resize.stretch"),
    *("normalize.mean_std", "normalize.mean_std_order", "normalize.scale", "normalize.order"),
)
"""The causes that a leaked key may be behind."""


def examine_leaked_parameters(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Return the causes, with those replaced that a key under `Global` of the training YAML file explains.

    The key explains a cause if, built without it, the training operators of the stage run with the candidate's
    parameters.
    """
    leaked = lab.ask(lab.reference, LeaksGlobals, lambda side: side.leaked()) or {}
    if lab.image is None or not any(each.stage in leaked.values() for each in found if each.stage in BEFORE_NETWORK):
        return found
    source = lab.ask(lab.reference, LeaksGlobals, lambda side: side.without_leak())
    image, candidate = lab.image, _with_parameters_of_every_image(lab)
    clean = None if source is None else lab.attempt(lambda: source.preprocess(image))
    if clean is None:
        return found
    # A parameter that one side lacks, such as a cap that did not act, need not be explained by a leak.
    differing = [p for p in parameter_differences(clean, candidate) if None not in (p.reference, p.candidate)]
    left = {each.stage for each in differing}
    # Where a side says none, as of a stage at which it stopped, none is left, and nothing is shown.
    stages = [
        stage for stage, own in clean.parameters.items() if own.keys() & candidate.parameters.get(stage, {}).keys()
    ]
    replaced: list[Diagnosis] = []
    for diagnosis in found:
        keys = [f"Global.{key}" for key, stage in leaked.items() if stage == diagnosis.stage]
        is_shown = diagnosis.stage in stages and diagnosis.stage not in left
        is_leak = keys and is_shown and diagnosis.cause in PARAMETER_CAUSES
        replaced.append(_leak_diagnosis(lab, diagnosis, keys) if is_leak else diagnosis)
    return replaced


def _leak_diagnosis(lab: Laboratory, diagnosis: Diagnosis, keys: list[str]) -> Diagnosis:
    reference, candidate = lab.names
    names = ", ".join(keys)
    proof = f"built without {names}, {reference}'s operators of this stage run with {candidate}'s parameters"
    summary = f"{names} of the training YAML file reached {reference}'s operators: {diagnosis.summary}"
    change = Change("train.config", {key.removeprefix("Global."): None for key in keys}, "Global")
    fix = Fix(f"rename or remove {names} in the training YAML file, and evaluate again", (change,))
    return lab.proven_cause(diagnosis.stage, LEAK, summary, [proof, *diagnosis.evidence], fix)
