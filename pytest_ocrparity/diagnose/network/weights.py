"""Experiments with the export's stored weights: compare them with the checkpoint's, and run them in its network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.ppocr.alignment import align_parameters
from pytest_ocrparity.backends.ppocr.trained_side import TrainedSide
from pytest_ocrparity.contract import (
    Exports,
    HasExport,
    HasTrainedNetwork,
    StoresWeights,
    TrainedNetwork,
    offered,
)
from pytest_ocrparity.diagnose.laboratory import Laboratory, are_equal_maps, describe_difference, returns_map
from pytest_ocrparity.diagnose.network.fusing import branch_left_out
from pytest_ocrparity.diagnose.network.grids import grid_of
from pytest_ocrparity.diagnose.network.lookalikes import (
    Neighbour,
    has_nearer_lookalike,
    lookalikes,
    nearest_lookalike_checkpoint,
)
from pytest_ocrparity.diagnosis import Alternative, Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.wording import image_label

Array: TypeAlias = "npt.NDArray[Any]"


def _exported_arrays(lab: Laboratory) -> Mapping[str, Array]:
    """Return the export's arrays, read once; an empty mapping, and a note, where they can't be read."""
    if "exported" not in lab.memo:
        lab.budget.check()
        stored = lab.ask(lab.candidate, StoresWeights, lambda side: side.stored_weights(), "the export's weights") or {}
        lab.memo["exported"] = {name: _in_float32(array) for name, array in stored.items()}
        others = Counter(str(array.dtype) for array in stored.values() if array.dtype != np.float32)
        lab.memo["types"] = "".join(f"; {count} of them are stored in {kind}" for kind, count in others.items())
    exported: Mapping[str, Array] = lab.memo["exported"]
    return exported


def _in_float32(array: Array) -> Array:
    """Return an array in the type of trained ones, where that loses nothing."""
    with np.errstate(over="ignore"):
        made = array.astype(np.float32)
    return made if array.dtype.kind == "f" and np.array_equal(made, array, equal_nan=True) else array


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
                found.append(StoredWeights(own, each, original, pairs, is_named))
        found.sort(key=lambda each: len(each.differing))
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


def by_finiteness(lab: Laboratory, candidate_map: Array | None) -> Diagnosis | None:
    """Look for NaN and infinity in the export's weights, where its map holds some; this needs no reference."""
    exported = _exported_arrays(lab)
    if candidate_map is None or np.all(np.isfinite(candidate_map)) or not exported:
        return None
    counts = {name: int(np.count_nonzero(~np.isfinite(array))) for name, array in exported.items()}
    not_finite = {name: count for name, count in counts.items() if count}
    candidate = lab.names.candidate
    if not not_finite:
        lab.ruled_out.append(f"network.not_finite: {candidate} stores no NaN and no infinity")
        return None
    lab.patched = replace(lab.patched, explains=lambda _, made: made is not None and not np.all(np.isfinite(made)))
    shown = ", ".join(f"{count} of {exported[name].size} in {name}" for name, count in list(not_finite.items())[:SHOWN])
    proof = f"{candidate} stores values that are not finite: {shown}; so is its map, from which nothing can be read"
    other = Alternative("network.not_finite", "", lambda tensor: tensor)
    summary = f"{candidate} stores weights that are NaN or infinite"
    return lab.proven_cause(PROBABILITY_MAP, other.cause, summary, [proof], export_fix(lab, other))


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
        if lacking := found.lacking:
            count = len(found.network.used)
            text = (
                f"network.weights: {count - len(lacking)} of the {count} arrays that {reference} uses were read, and "
            )
            lab.not_tried.append(f"{text}are {candidate}'s bit for bit; not found in {candidate}: {_few(lacking)}")
            return None
        lab.has_equal_weights = True
        text = f"all {total} arrays of {candidate} are {reference}'s, bit for bit"
        lab.ruled_out.append(f"network.weights: {text}{lab.memo['types']}")
        return None
    if found.pairs is None:
        which = "neither their names nor their content, shapes and order tell which of them is which"
        lab.not_tried.append(f"network.weights: the {total} arrays of {candidate} against {reference}'s: {which}")
        return None
    if _has_nearer_network(lab):
        return None  # `_other_network` tries that network first
    return _by_stored_weights(lab, candidate_map)


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
    same, elsewhere = total - len(found.differing), found.elsewhere
    difference = describe_difference(made, candidate_map)
    proof = [f"{reference}'s network with {candidate}'s weights returns {candidate}'s map ({difference})"]
    equal = "the checkpoint's bit for bit" + (" in their places" if elsewhere else "")
    not_equal = _few([found.key(name) for name in found.differing])
    proof += [f"{same} of {total} stored arrays are {equal}{lab.memo['types']}; not: {not_equal}"]
    part = found.other_part
    if elsewhere and part is None:
        moved = [f"{key} holds {other}" for key, other in elsewhere.items()]
        proof.append(f"of the checkpoint's arrays, bit for bit, {_few(moved)}")
    if held := held_by_nearest(lab):
        proof.append(held)
    cause, summary = cause_of_differing_weights(found, candidate)
    fix = export_fix(lab, Alternative(cause, "", transplanted.run))
    if part is not None:
        text = "look at which part of the network the export's code runs, and at the keys of what it loads"
        fix = replace(fix, text=f"{text}: {part[1]} is in the place of {part[0]}; then {fix.text}")
    return lab.proven_cause(PROBABILITY_MAP, cause, summary, proof, fix)


def lookalike_networks(lab: Laboratory) -> Iterator[Alternative]:
    """Yield the networks that may have been exported in the place of the reference's."""
    if isinstance(lab.reference.source, TrainedSide):
        yield from lookalikes(lab.reference.source, _nearest_checkpoint(lab))


def held_by_nearest(lab: Laboratory) -> str:
    """Return how many of the export's arrays another checkpoint holds, where it holds more than the reference's."""
    found = _nearest(lab)
    if found is None:
        return ""
    total = len(_exported_arrays(lab))
    return f"{found.held} of {total} stored arrays are those of {image_label(str(found.path))}, bit for bit"


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

SHOWN: Final = 4
"""How many parameters a message names."""


@dataclass
class StoredWeights:
    """The export's arrays paired with those of the trained network, or of its fused copy."""

    exported: Mapping[str, Array]
    network: TrainedNetwork
    original: TrainedNetwork | None
    """Where the network is a fused copy, the one before it was fused."""
    pairs: Mapping[str, str] | None
    """The trained name by exported name; None where the arrays could not be paired."""
    is_named: bool = True
    """Whether the pairs were found by names, and not only by shapes and order."""

    @cached_property
    def trained(self) -> Mapping[str, Array]:
        """The trained network's arrays, by paddle's parameter names."""
        arrays: Mapping[str, Array] = self.network.arrays()
        return arrays

    @cached_property
    def differing(self) -> list[str]:
        """The exported arrays that are not the trained ones bit for bit."""
        pairs = self.pairs or {}
        return [
            n
            for n, array in self.exported.items()
            if n not in pairs or array.tobytes() != self.trained[pairs[n]].tobytes()
        ]

    @cached_property
    def lacking(self) -> list[str]:
        """The keys of what an evaluation uses, as far as that is known, and no stored array is."""
        paired, keys = set((self.pairs or {}).values()), self.network.keys()
        return [keys[name] for name in self.network.used if name not in paired]

    @cached_property
    def elsewhere(self) -> dict[str, str]:
        """By the key of an array that differs, that of the checkpoint's array which is stored there."""
        keys = self.network.keys()
        known = {(array.shape, array.tobytes()): keys[name] for name, array in self.trained.items() if np.ptp(array)}
        stored = {self.key(name): self.exported[name] for name in self.differing}
        places = {key: known.get((array.shape, array.tobytes())) for key, array in stored.items()}
        return {key: place for key, place in places.items() if place is not None}

    @cached_property
    def other_part(self) -> tuple[str, str] | None:
        """The part of the network in which all that differs lies, and that whose arrays are stored there."""
        moves = {_without_common_end(*each) for each in self.elsewhere.items()}
        if len(moves) != 1 or len(self.differing) == 1:
            return None
        ((own, other),) = moves
        arrays = {key: self.trained[name] for name, key in self.network.keys().items()}
        for name in self.differing:
            key = self.key(name)
            stands = arrays.get(f"{other}{key.removeprefix(own)}") if key.startswith(f"{own}.") else None
            if stands is None or stands.tobytes() != self.exported[name].tobytes():
                return None
        return own, other

    def key(self, name: str) -> str:
        """Return the checkpoint's key of an exported array."""
        keys: Mapping[str, str] = self.network.keys()
        return keys[(self.pairs or {})[name]] if self.pairs and name in self.pairs else name


def cause_of_differing_weights(found: StoredWeights, candidate: str) -> tuple[str, str]:
    """Return the most specific cause that fits every array that differs, and its summary."""
    total, differing = len(found.exported), found.differing
    if any(not np.all(np.isfinite(found.exported[name])) for name in differing):
        return "network.not_finite", f"{candidate} stores weights that are NaN or infinite"
    known = found.pairs or {}
    pairs = [(found.exported[name], found.trained[known[name]]) for name in differing if name in known]
    if len(pairs) == len(differing) and (grid := grid_of(pairs)) is not None:
        return grid.cause, f"{candidate} stores weights rounded to {grid.text}"
    if _is_untrained(found):
        summary = f"{candidate} was exported without loading the checkpoint: its batch norm is as initialised"
        return "network.weights.not_loaded", summary
    if (part := found.other_part) is not None:
        own, other = part
        summary = f"{len(differing)} of {candidate}'s {total} weights are the checkpoint's of {other}"
        return "network.weights", f"{summary}, where the trained network uses those of {own}"
    if found.original is not None and not {*map(found.key, differing)} & {*found.original.keys().values()}:
        return _cause_of_fusing(found, found.original, candidate)
    are_unrelated = all(_are_unrelated(exported, trained) for exported, trained in pairs)
    if are_unrelated and _are_whole_layers(found) and not found.elsewhere:
        summary = f"{len(differing)} of {candidate}'s {total} weights have nothing of the checkpoint's"
        return "network.weights.partly_loaded", summary
    return "network.weights", f"{len(differing)} of {candidate}'s {total} weights are not the checkpoint's"


def _are_whole_layers(found: StoredWeights) -> bool:
    """Return whether some layers differ in all their arrays and the others in none, as where keys were skipped."""
    differing = {found.key(name).rpartition(".")[0] for name in found.differing}
    equal = {found.key(name).rpartition(".")[0] for name in found.exported if name not in found.differing}
    return bool(equal) and not differing & equal


def _cause_of_fusing(found: StoredWeights, original: TrainedNetwork, candidate: str) -> tuple[str, str]:
    """Return the cause where only what fusing makes differs: another checkpoint's branches do that as well."""
    own = {found.key(name): found.exported[name] for name in found.differing}
    if (branch := branch_left_out(original, own)) is not None:
        return "network.fusion", f"branches of {candidate} were fused without {branch}"
    text = f"{len(own)} of {candidate}'s weights that fusing makes are not those of the checkpoint's fused copy"
    return "network.weights", f"{text}: fused otherwise, or from another checkpoint"


def _are_unrelated(exported: Array, trained: Array) -> bool:
    """Return whether an array may be freshly initialised: a constant vector, or not correlated with the checkpoint's.

    An array that was rounded, scaled or trained further correlates with it. A transposed one holds the same values.
    """
    if np.ptp(exported) == 0:
        return exported.ndim == 1
    if exported.size < 16 or np.ptp(trained) == 0 or np.array_equal(np.sort(exported, None), np.sort(trained, None)):
        return False
    return bool(abs(np.corrcoef(exported.ravel(), trained.ravel())[0, 1]) < 0.5)


def _is_untrained(found: StoredWeights) -> bool:
    """Return whether nothing was trained: batch-norm means are 0, variances 1, and no kernel is the checkpoint's."""
    kernels = [name for name, array in found.exported.items() if array.ndim >= 2]
    if any(name not in found.differing for name in kernels):
        return False
    keys = {name: found.key(name) for name in found.exported}
    means = [found.exported[name] for name, key in keys.items() if key.endswith("_mean")]
    variances = [found.exported[name] for name, key in keys.items() if key.endswith("_variance")]
    return (
        bool(means) and all(not array.any() for array in means) and all(bool((array == 1).all()) for array in variances)
    )


def _few(texts: Sequence[str]) -> str:
    return ", ".join(texts[:SHOWN]) + (f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else "")


def _without_common_end(key: str, other: str) -> tuple[str, str]:
    """Return two keys without the last parts that they share."""
    own, others = key.split("."), other.split(".")
    while len(own) > 1 and len(others) > 1 and own[-1] == others[-1]:
        del own[-1], others[-1]
    return ".".join(own), ".".join(others)
