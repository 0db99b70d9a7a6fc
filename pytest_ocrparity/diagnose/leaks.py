"""Whether a difference comes from the reference's own side: keys of `Global` that reached its operators."""

from __future__ import annotations

from pytest_ocrparity.diagnose.laboratory import PREPROCESSING, Laboratory
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix

__all__ = ["examine_leaks"]


def examine_leaks(lab: Laboratory, found: list[Diagnosis]) -> list[Diagnosis]:
    """Return the causes with those replaced that a key of the training yml's `Global` explains.

    The experiment: the training operators, built without that key, return the candidate's tensor.
    """
    leaked: dict[str, str] = getattr(lab.reference.source, "leaked", dict)()
    guilty = [d for d in found if d.stage in PREPROCESSING and d.stage in leaked.values()]
    if not guilty or lab.image is None or lab.candidate.tensor is None or len(found) > 1:
        return found
    clean = lab.reference.source.without_leak().preprocess(lab.image)  # type: ignore[union-attr]
    judged = Laboratory(clean, lab.candidate, lab.tolerance, lab.seconds)
    if not judged.is_same("preprocessing", lab.candidate):
        return found
    keys = [key for key, stage in leaked.items() if stage == guilty[0].stage]
    one, two = lab.names
    proof = f"built without {', '.join(f'Global.{key}' for key in keys)}, {one}'s operators return {two}'s tensor ({judged.tensor_amount(lab.candidate)})"
    summary = f"{', '.join(f'Global.{key}' for key in keys)} of the training yml reached {one}'s operators: {guilty[0].summary}"
    fix = Fix(
        f"rename or remove {', '.join(f'Global.{key}' for key in keys)} in the training yml, and evaluate again",
        (Change("train.config", dict.fromkeys(keys), "Global"),),
    )
    return [lab.claim(guilty[0].stage, "reference.global_leak", summary, [proof, *guilty[0].evidence], fix)]
