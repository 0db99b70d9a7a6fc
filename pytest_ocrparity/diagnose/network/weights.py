"""Experiments with the export's stored weights: compare them with the checkpoint's, and run them in its network."""

from __future__ import annotations

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
from pytest_ocrparity.diagnose.network.grids import Grid, grid_of
from pytest_ocrparity.diagnose.network.lookalikes import has_nearer_lookalike, lookalikes, nearest_lookalike_checkpoint
from pytest_ocrparity.diagnosis import Alternative, Change, Diagnosis, Fix
from pytest_ocrparity.stages import PROBABILITY_MAP

Array: TypeAlias = "npt.NDArray[Any]"


def _exported_arrays(lab: Laboratory) -> Mapping[str, Array]:
    """Return the export's arrays, read once; an empty mapping, and a note, where they can't be read."""
    if "exported" not in lab.memo:
        lab.budget.check()
        lab.memo["exported"] = (
            lab.ask(lab.candidate, StoresWeights, lambda side: side.stored_weights(), "the export's weights") or {}
        )
    exported: Mapping[str, Array] = lab.memo["exported"]
    return exported


def _pairings(lab: Laboratory) -> list[StoredWeights]:
    """Return the export's weights with the checkpoint's and with its fused copy's: those that fit, the nearest first.

    Where none fits, one that has no pairs.
    """
    exported, side = _exported_arrays(lab), offered(lab.reference.source, HasTrainedNetwork)
    if side is None or not exported:
        return []
    network = side.network
    if "stored" not in lab.memo:
        unfused = frozenset(network.keys().values())
        found = []
        for each in (network, network.fused):
            if each is None:
                continue
            arrays = each.arrays()
            for pairs, is_named in align_parameters(exported, arrays, each.used):
                own = {name: _as_trained(exported[name], arrays[right]) for name, right in pairs.items()}
                found.append(StoredWeights(own, each, each is not network, unfused, pairs, is_named))
        found.sort(key=lambda each: len(each.differing))
        lab.memo["stored"] = found or [StoredWeights(exported, network, False, unfused, None, False)]
    stored: list[StoredWeights] = lab.memo["stored"]
    return stored


def _as_trained(array: Array, trained: Array) -> Array:
    """Return an array in the shape of a trained one, and in its type where that loses nothing."""
    shaped = array.reshape(trained.shape)
    cast = shaped.astype(trained.dtype)
    return cast if np.array_equal(cast.astype(array.dtype), shaped, equal_nan=array.dtype.kind == "f") else shaped


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
    paired = paired_weights(lab)
    own = exported if paired is None or paired.pairs is None else set(paired.differing)  # not what the checkpoint holds
    counts = {name: int(np.count_nonzero(~np.isfinite(array))) for name, array in exported.items() if name in own}
    not_finite = {name: count for name, count in counts.items() if count}
    candidate = lab.names.candidate
    if not not_finite:
        held = any(not np.all(np.isfinite(array)) for array in exported.values())
        rest = " that the checkpoint does not hold as well" if held else ""
        lab.ruled_out.append(f"network.not_finite: {candidate} stores no NaN and no infinity{rest}")
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
        if found.missing:
            which = f"{len(found.missing)} that {reference} uses were not found in it: {_some(found.missing)}"
            lab.not_tried.append(
                f"network.weights: the {total} arrays read of {candidate} are {reference}'s, but {which}"
            )
            return None
        lab.has_equal_weights = True
        lab.ruled_out.append(f"network.weights: all {total} arrays of {candidate} are {reference}'s, bit for bit")
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
    difference = describe_difference(made, candidate_map)
    proof = [f"{reference}'s network with {candidate}'s weights returns {candidate}'s map ({difference})"]
    proof += describe_stored_weights(found)
    cause, summary = cause_of_differing_weights(found, candidate)
    fix = export_fix(lab, Alternative(cause, "", transplanted.run))
    if found.are_all_elsewhere:
        fix = Fix(f"have the export run the layers that evaluation does, and not others of their shape; {fix.text}")
    return lab.proven_cause(PROBABILITY_MAP, cause, summary, proof, fix)


def describe_stored_weights(found: StoredWeights) -> list[str]:
    """Return in words which of the stored arrays differ, and what they are instead as far as that is known."""
    total, differing = len(found.exported), found.differing
    same = f"{total - len(differing)} of {total} stored arrays are the checkpoint's bit for bit"
    texts = [f"{same}; not: {differing_keys_text(found)}"]
    grid, rounded = found.rounded
    if grid is not None and len(rounded) < len(differing):
        texts.append(f"{len(rounded)} of those are the checkpoint's, rounded to {grid.text}; the others are not")
    if found.elsewhere:
        texts.append(
            f"of other layers are: {_some([f'{found.key(n)} (that of {k})' for n, k in found.elsewhere.items()])}"
        )
    return texts


def lookalike_networks(lab: Laboratory) -> Iterator[Alternative]:
    """Yield the networks that may have been exported in the place of the reference's."""
    if isinstance(lab.reference.source, TrainedSide):
        yield from lookalikes(lab.reference.source, _nearest_checkpoint(lab))


def _nearest_checkpoint(lab: Laboratory) -> Path | None:
    """Return the checkpoint that holds more of the export's arrays than the reference's, looked for once."""
    if not isinstance(lab.reference.source, TrainedSide):
        return None
    if "nearest" not in lab.memo:
        lab.budget.check()
        lab.memo["nearest"] = nearest_lookalike_checkpoint(lab.reference.source, _exported_arrays(lab))
    found: Path | None = lab.memo["nearest"]
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
    is_fused: bool
    unfused: frozenset[str]
    """The checkpoint's keys before fusing."""
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
    def missing(self) -> list[str]:
        """The keys of what an evaluation uses and no exported array is."""
        paired, keys = set((self.pairs or {}).values()), self.network.keys()
        return [keys[name] for name in self.network.used if name not in paired]

    @cached_property
    def elsewhere(self) -> dict[str, str]:
        """By exported array that differs, the checkpoint's key of the other place where it stands, bit for bit."""
        keys = self.network.keys()
        known = {(array.shape, array.tobytes()): keys[name] for name, array in self.trained.items() if np.ptp(array)}
        found = {name: (self.exported[name].shape, self.exported[name].tobytes()) for name in self.differing}
        return {name: known[array] for name, array in found.items() if array in known}

    @property
    def are_all_elsewhere(self) -> bool:
        """Whether each array that differs is the checkpoint's of another place; constant ones say nothing."""
        varied = {name for name in self.differing if np.ptp(self.exported[name])}
        return bool(varied) and varied <= self.elsewhere.keys()

    @cached_property
    def rounded(self) -> tuple[Grid | None, list[str]]:
        """The grid that some of the arrays which differ lie on, and these arrays."""
        pairs = self.pairs or {}
        near = {name: (self.exported[name], self.trained[pairs[name]]) for name in self.differing if name in pairs}
        on_grid = [name for name, pair in near.items() if grid_of([pair]) is not None]
        return grid_of([near[name] for name in on_grid]), on_grid

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
    if found.is_fused and all(found.key(name) not in found.unfused for name in differing):
        made = f"{len(differing)} of {candidate}'s {total} weights, which fusing branches makes,"
        return "network.fusion", f"{made} are not what fusing the checkpoint's makes"
    are_unrelated = all(_are_unrelated(exported, trained) for exported, trained in pairs)
    if are_unrelated and _are_whole_layers(found) and not found.elsewhere:
        summary = f"{len(differing)} of {candidate}'s {total} weights have nothing of the checkpoint's"
        return "network.weights.partly_loaded", summary
    if found.are_all_elsewhere:
        return (
            "network.weights",
            f"{len(differing)} of {candidate}'s {total} weights are the checkpoint's of other layers",
        )
    return "network.weights", f"{len(differing)} of {candidate}'s {total} weights are not the checkpoint's"


def _are_whole_layers(found: StoredWeights) -> bool:
    """Return whether some layers differ in all their arrays and the others in none, as where keys were skipped."""
    differing = {found.key(name).rpartition(".")[0] for name in found.differing}
    equal = {found.key(name).rpartition(".")[0] for name in found.exported if name not in found.differing}
    return bool(equal) and not differing & equal


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


def differing_keys_text(found: StoredWeights) -> str:
    """Return the checkpoint's keys of the arrays that differ, those that are merely rounded last, as a text."""
    rounded = set(found.rounded[1])
    return _some([found.key(name) for name in sorted(found.differing, key=lambda name: name in rounded)])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
