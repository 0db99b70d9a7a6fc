"""Experiments with the export's stored weights: compare them with the checkpoint's, and run them in its network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pytest_ocrparity.backends.ppocr.alignment import align_parameters
from pytest_ocrparity.backends.ppocr.trained_side import TrainedSide
from pytest_ocrparity.contract import (
    Exports,
    HasExport,
    HasTrainedNetwork,
    StoresAllWeights,
    StoresWeights,
    TrainedNetwork,
    offered,
)
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.network.compared_weights import (
    SHOWN,
    StoredWeights,
    cause_of_differing_weights,
    describe_stored_weights,
)
from pytest_ocrparity.diagnose.network.lookalikes import (
    Neighbour,
    has_nearer_lookalike,
    lookalikes,
    nearest_lookalike_checkpoint,
)
from pytest_ocrparity.diagnosis import Alternative, Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array
from pytest_ocrparity.wording import image_label, listed


def _exported_arrays(lab: Laboratory) -> Mapping[str, Array]:
    """Return the export's arrays, read once; an empty mapping, and a note, where they can't be read."""
    if "exported" not in lab.memo:
        lab.budget.check()
        stored = lab.ask(lab.candidate, StoresWeights, lambda side: side.stored_weights(), "the export's weights") or {}
        lab.memo["exported"] = {name: _in_float32(array) for name, array in stored.items()}
        lab.memo["types"] = {name: str(array.dtype) for name, array in stored.items() if array.dtype != np.float32}
    exported: Mapping[str, Array] = lab.memo["exported"]
    return exported


def _in_float32(array: Array) -> Array:
    """Return an array in the type of trained ones, where that loses nothing."""
    if array.dtype == np.float32 or array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        made = array.astype(np.float32)
    return made if np.array_equal(made, array, equal_nan=True) else array


def _types_text(kinds: Mapping[str, str], names: Iterable[str]) -> str:
    """Return how many of some arrays are stored in another type than trained ones."""
    others = Counter(kinds[name] for name in names if name in kinds)
    return "".join(f"; {count} of them are stored in {kind}" for kind, count in others.items())


def _pairings(lab: Laboratory) -> list[StoredWeights]:
    """Return the export's weights with the checkpoint's and with its fused copy's: those that fit, the nearest first.

    Where none fits, one that has no pairs.
    """
    exported, side = _exported_arrays(lab), offered(lab.reference.source, HasTrainedNetwork)
    if side is None or not exported:
        return []
    network = side.network
    if "stored" not in lab.memo:
        found = []
        for each in (network, network.fused):
            if each is None:
                continue
            arrays, original = each.arrays(), None if each is network else network
            for pairs, is_named in align_parameters(exported, arrays, each.used):
                own = {name: exported[name].reshape(arrays[right].shape) for name, right in pairs.items()}
                found.append(StoredWeights(own, each, original, pairs, is_named, _types_text(lab.memo["types"], own)))
        # Branches of which one is left out are bit for bit those that are left.
        found.sort(key=lambda each: (len(each.differing) + len(each.missing), len(each.missing)))
        lab.memo["stored"] = found or [StoredWeights(exported, network, None, None, False)]
    stored: list[StoredWeights] = lab.memo["stored"]
    return stored


def paired_weights(lab: Laboratory) -> StoredWeights | None:
    """Return the export's weights with the checkpoint's, or with its fused copy's where more of them are equal."""
    return next(iter(_pairings(lab)), None)


def paired_network(lab: Laboratory) -> TrainedNetwork | None:
    """Return the trained network, or its fused copy where the export is rather that one; None where there is none."""
    side, found = offered(lab.reference.source, HasTrainedNetwork), paired_weights(lab)
    if side is None:
        return None
    is_paired = found is not None and found.pairs is not None
    return found.network if found is not None and is_paired else side.network.fused or side.network


def unknown_of_reference(lab: Laboratory, right: Array) -> Diagnosis:
    """Return what is said where the reference's own map holds NaN or infinity: no map agrees with it."""
    reference = lab.names.reference
    side = offered(lab.reference.source, HasTrainedNetwork)
    arrays = {} if side is None else {side.network.keys()[name]: each for name, each in side.network.arrays().items()}
    counts = {key: int(np.count_nonzero(~np.isfinite(array))) for key, array in arrays.items()}
    shown = [f"{count} of {arrays[key].size} in {key}" for key, count in counts.items() if count]
    lab.noticed += [f"values of {reference}'s checkpoint that are not finite: {listed(shown, SHOWN)}"] * bool(shown)
    tensor = lab.reference.tensor
    if tensor is not None and not np.all(np.isfinite(tensor)):
        strange = np.count_nonzero(~np.isfinite(tensor))
        lab.noticed.append(f"{strange} of {tensor.size} values of {reference}'s tensor are not finite")
        advice = ": look at its preprocessing"
    else:
        none = "its checkpoint and its tensor hold none" if arrays else "its tensor holds none"
        advice = ": take another checkpoint, or train again" if shown else f"; {none}: look for a layer that overflows"
    count = np.count_nonzero(~np.isfinite(right))
    text = f"{count} of {right.size} values of {reference}'s own map are NaN or infinite, with which nothing agrees"
    return lab.unknown_cause(PROBABILITY_MAP, f"{text}{advice}")


def by_finiteness(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Look for NaN and infinity in the export's weights, where its map holds some and the checkpoint does not."""
    exported = _exported_arrays(lab)
    if candidate_map is None or np.all(np.isfinite(candidate_map)) or not exported:
        return None
    counts = {name: int(np.count_nonzero(~np.isfinite(array))) for name, array in exported.items()}
    strange = [name for name, count in counts.items() if count]
    pairs: Mapping[str, str] = {}
    equal: set[str] = set()
    if strange and (found := paired_weights(lab)) is not None and found.pairs is not None:
        pairs, equal = found.pairs, found.pairs.keys() - set(found.differing)
    # What is not known to be a weight may be a mask of attention, in which infinity is right.
    masks = [name for name in strange if name not in pairs and not np.any(np.isnan(exported[name]))]
    not_finite = {name: counts[name] for name in strange if name not in equal and name not in masks}
    candidate = lab.names.candidate
    if not not_finite and masks:
        shown = _counts_text(exported, {name: counts[name] for name in masks})
        lab.noticed.append(f"{candidate} stores infinity in arrays that are not known to be weights: {shown}")
        return None
    if not not_finite:
        beside = " that the checkpoint does not hold" if any(counts.values()) else ""
        lab.ruled_out.append(f"network.not_finite: {candidate} stores no NaN and no infinity{beside}")
        return None
    lab.patched = replace(lab.patched, explains=lambda _, made: made is not None and not np.all(np.isfinite(made)))
    shown = _counts_text(exported, not_finite)
    proof = f"{candidate} stores values that are not finite: {shown}; so is its map, from which nothing can be read"
    other = Alternative("network.not_finite", "", lambda tensor: tensor)
    summary = f"{candidate} stores weights that are NaN or infinite"
    return lab.proven_cause(PROBABILITY_MAP, other.cause, summary, [proof], export_fix(lab, other))


def _counts_text(arrays: Mapping[str, Array], counts: Mapping[str, int]) -> str:
    return listed([f"{count} of {arrays[name].size} in {name}" for name, count in counts.items()], SHOWN)


def by_weights(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Compare the stored weights with the checkpoint's, unless another network holds more of them."""
    found = paired_weights(lab)
    if found is None or candidate_map is None:
        return None
    total, reference, candidate = len(found.exported), *lab.names
    if found.pairs is not None and not found.differing:
        changed = next((each for each in _pairings(lab) if each.network is found.network and each.differing), None)
        if changed is not None:  # the same arrays, of which some of one shape stand in another order
            return _run_with_stored_weights(lab, changed, candidate_map)
        _note_equal_weights(lab, found)
        return None
    if found.pairs is None:
        which = "neither their names nor their content, shapes and order tell which of them is which"
        lab.not_tried.append(f"network.weights: the {total} arrays of {candidate} against {reference}'s: {which}")
        return None
    if _has_nearer_network(lab):
        return None  # `_other_network` tries that network first
    return _by_stored_weights(lab, candidate_map)


def _note_equal_weights(lab: Laboratory, found: StoredWeights) -> None:
    """Rule out the weights where those that were read are the checkpoint's and no other can be left."""
    total, count, (reference, candidate) = len(found.exported), len(found.network.used), lab.names
    # What layers have and evaluation does not touch, a right export leaves out: only what can't be seen may be missing.
    is_whole = lab.ask(lab.candidate, StoresAllWeights, lambda side: side.stores_all_weights())
    if is_whole or (count and not found.missing):
        lab.has_equal_weights = True
        text = f"all {total} arrays of {candidate} are {reference}'s, exactly{found.types}"
        lab.ruled_out.append(f"network.weights: {text}")
        return
    text = f"all {total} arrays of {candidate} that were read are {reference}'s, exactly{found.types}; "
    if count:
        text += f"of {count} arrays of layers that {reference} runs, not found: {listed(found.missing, SHOWN)}"
    else:
        text += f"whether {reference} uses others is not known"
    lab.not_tried.append(f"network.weights: {text}")


def by_weights_after_lookalikes(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Try the stored weights where another network holds more of them but did not explain the map."""
    found = paired_weights(lab)
    if found is None or found.pairs is None or candidate_map is None or not _has_nearer_network(lab):
        return None
    return _by_stored_weights(lab, candidate_map)


def _by_stored_weights(lab: Laboratory, candidate_map: Array) -> Diagnosis | None:
    """Try each network that the stored weights fit: wrongly fused branches are as far from both."""
    tries = (_run_with_stored_weights(lab, each, candidate_map) for each in _pairings(lab))
    return next((made for made in tries if made is not None), None)


def _run_with_stored_weights(lab: Laboratory, found: StoredWeights, candidate_map: Array) -> Diagnosis | None:
    """Run the trained network with the export's weights; if it returns the export's map, they are the cause."""
    total, reference, candidate = len(found.exported), *lab.names
    pairs = found.pairs or {}
    transplanted = found.network.with_arrays({pairs[name]: array for name, array in found.exported.items()})
    made = lab.run_network(transplanted.run, lab.tensor)
    if made is None or not are_equal_maps(lab, made, candidate_map):
        text = f"network.weights: {reference}'s network with {candidate}'s weights does not return {candidate}'s map"
        differ = f"({len(found.differing)} of {total} arrays differ)"
        paired = "" if found.is_named else "; arrays were paired by shape and order, which may be wrong"
        lab.tried.append(f"{text} {differ}{paired}")
        return None
    lab.patched = replace(lab.patched, explains=returns_map(transplanted.run))
    difference = describe_difference(made, candidate_map)
    proof = [f"{reference}'s network with {candidate}'s weights returns {candidate}'s map ({difference})"]
    proof += describe_stored_weights(found)
    if held := held_by_nearest(lab):
        proof.append(held)
    cause, summary = cause_of_differing_weights(found, candidate, lab.budget.check)
    fix = export_fix(lab, Alternative(cause, "", transplanted.run))
    if found.are_all_elsewhere:
        text = "look at which layers the export's code runs, and under which keys it loads their weights"
        fix = replace(fix, text=f"{text}; then {fix.text}")
    return lab.proven_cause(PROBABILITY_MAP, cause, summary, proof, fix)


def lookalike_networks(lab: Laboratory) -> Iterator[Alternative]:
    """Yield the networks that may have been exported in the place of the reference's."""
    if isinstance(lab.reference.source, TrainedSide):
        yield from lookalikes(lab.reference.source, _nearest_checkpoint(lab))


def held_by_nearest(lab: Laboratory) -> str:
    """Return which of the export's arrays another checkpoint holds, where it holds more than the reference's."""
    found = _nearest(lab)
    if found is None or not found.held:
        return ""
    others = f"stored arrays that vary and are not {lab.names.reference}'s"
    return f"{found.held} of {found.missing} {others} are those of {image_label(str(found.path))}, exactly"


def _nearest_checkpoint(lab: Laboratory) -> Path | None:
    found = _nearest(lab)
    return None if found is None else found.path


def _nearest(lab: Laboratory) -> Neighbour | None:
    """Return the checkpoint that holds more of the export's arrays than the reference's, looked for once."""
    if not isinstance(lab.reference.source, TrainedSide):
        return None
    if "nearest" not in lab.memo:
        lab.budget.check()
        lab.memo["nearest"] = nearest_lookalike_checkpoint(lab.reference.source, _exported_arrays(lab))
    found: Neighbour | None = lab.memo["nearest"]
    return found


def _has_nearer_network(lab: Laboratory) -> bool:
    """Return whether a sub-model or another checkpoint holds more of the export's arrays than the reference."""
    source = lab.reference.source
    if not isinstance(source, TrainedSide):
        return False
    return has_nearer_lookalike(source, _exported_arrays(lab)) or _nearest_checkpoint(lab) is not None


def has_exported_weights(lab: Laboratory) -> bool:
    """Tell whether the candidate was loaded from an export directory, so that exporting again changes it."""
    return offered(lab.candidate.source, HasExport) is not None


def weights_export_command(lab: Laboratory) -> str:
    """Return the command that exports the reference to the candidate's directory, or an empty text."""
    target = lab.ask(lab.candidate, HasExport, lambda side: (side.model_dir, side.model_name)) or (None, None)
    return lab.ask(lab.reference, Exports, lambda side: side.export_command(*target)) or ""


def export_fix(lab: Laboratory, other: Alternative) -> Fix:
    """Return the fix that exports the right network, by cause."""
    again = weights_export_command(lab) or "export again from the right checkpoint"
    changes = (Change("export"),)
    if other.cause == "network.sub_model":
        text = (
            f"deploy the export of the sub-model that you evaluated; or, if {other.label} is meant, set train.sub_model"
        )
        return Fix(f'{text} = "{other.label}"', (Change("train.sub_model", {"sub_model": other.label}),))
    if other.cause == "network.weights.other_checkpoint":
        return Fix(f"if {other.label} is meant, set train.checkpoint to it; if not, {again}", changes)
    if other.cause.startswith("precision."):
        name = other.cause.removeprefix("precision.")
        meant = f"if {name} is meant, compare with --ocr-tolerance={PRESET_OF[other.cause]}"
        return Fix(f"{meant}; if not, leave the weights in fp32, and {again}", changes)
    if other.cause == "network.train_mode":
        return Fix(f"call eval() on the network before it is exported, as tools/export_model.py does; {again}", changes)
    return Fix(again, changes)


PRESET_OF: Final = {"precision.fp16": "fp16", "precision.bf16": "fp16", "precision.int8": "int8"}
"""The preset that permits what a precision moves: bf16 has no own one."""
