"""Whether a difference comes from the reference's own side: keys of `Global` that reached its operators."""

from __future__ import annotations

from pytest_ocrparity.compare.parameter_differences import parameter_differences
from pytest_ocrparity.diagnose.laboratory import PREPROCESSING, Laboratory
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix

__all__ = ["LEAK", "examine_leaks"]

LEAK = "reference.global_leak"


def examine_leaks(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Return the causes with those replaced that a key of the training yml's `Global` explains.

    The experiment: built without that key, the training operators of the stage run with the candidate's parameters.
    """
    leaked: dict[str, str] = lab.ask(lab.reference, "leaked", default={})
    if lab.image is None or not any(each.stage in leaked.values() for each in found if each.stage in PREPROCESSING):
        return found
    source = lab.ask(lab.reference, "without_leak")
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
