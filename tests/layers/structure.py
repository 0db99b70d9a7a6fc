"""What a search for a layer can tell apart, from the structure of a network and of what an export makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from layers.calls import Call, Calls, Key, calls_of
from layers.kinds import CONVOLUTIONS

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "conv2d": ("conv", "add", "pad", "pool"),
    "conv2dtranspose": ("conv", "add"),
    "batchnorm2d": ("norm",),
    "batchnorm": ("norm",),
    "interpolate": ("interp", "resize", "upsample"),
    "concat": ("concat",),
    "add": ("add",),
    "learnableaffineblock": ("mul", "add", "scale", "affine"),
}
"""By operator, words of which the name of the operator in a program or file has one; of activations `ACTIVATED`."""
ACTIVATED = ("relu", "swish", "sigmoid", "clip", "mul")


@dataclass(frozen=True)
class Structure:
    """A network as it is trained, and as an export runs it.

    Attributes:
        trained: what the trained network runs.
        exported: what runs after its branches were fused.
        folds: whether the file holds a convolution and the batch norm behind it as one.
    """

    trained: Calls
    exported: Calls
    fusing: tuple[str, ...] = ()
    folds: bool = False
    _sets: dict[str, frozenset[str]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Find which layers are one in the file."""
        for layer in self.fusing:
            self._unite(self._fused(layer))
        if self.folds:
            for pair in folded_pairs(self.exported):
                self._unite(frozenset(pair))

    def one_with(self, layer: str) -> frozenset[str]:
        """Return the dotted names that the file cannot tell from a layer, and its own."""
        return self._sets.get(layer, frozenset({layer}))

    def operators(self, key: Key) -> tuple[str, ...] | None:
        """Return words of which the operator's name must have one; None where the layer's name says it all."""
        keys = {(call.key.operator, call.key.nth) for call in self.exported.made if call.key.layer == key.layer}
        is_activating = key.operator in ("batchnorm", "act")
        if len(keys) < 2 and not is_activating:
            return None
        return FAMILIES.get(key.operator, ACTIVATED)

    def is_within(self, name: str, right: frozenset[str]) -> bool:
        """Return whether a name is one of a set, or of a container of nothing else."""
        below = {each for each in (*self.trained.entered, *self.exported.entered) if each.startswith(f"{name}.")}
        return name in right or (bool(name) and bool(below) and below <= right)

    def contains(self, name: str, right: frozenset[str]) -> bool:
        """Return whether a name is of a container of one of a set."""
        return any(not name or each.startswith(f"{name}.") for each in right)

    def is_after(self, layer: str, key: Key) -> bool:
        """Return whether a layer begins after a call, and after all began that the file holds as one with it."""
        order = {name: place for place, name in reversed(list(enumerate(self.exported.entered)))}
        begun = max((order[name] + 1 for name in self.one_with(key.layer) if name in order), default=0)
        return order.get(layer, -1) >= max(begun, self.exported.begun.get(key, 0)) > 0

    def _fused(self, layer: str) -> frozenset[str]:
        below = f"{layer}."
        before = {name for name in self.trained.entered if name.startswith(below)}
        after = {name for name in self.exported.entered if name.startswith(below)}
        return frozenset({layer} | (before ^ after))

    def _unite(self, names: frozenset[str]) -> None:
        whole = frozenset().union(names, *(self.one_with(name) for name in names))
        self._sets.update(dict.fromkeys(whole, whole))


def folded_pairs(calls: Calls) -> list[tuple[str, str]]:
    """Return each convolution whose only reader is a batch norm, with that batch norm."""
    readers: dict[int, list[Call]] = {}
    for call in calls.made:
        for value in call.inputs:
            readers.setdefault(id(value), []).append(call)
    found = []
    for call in calls.made:
        behind = readers.get(id(call.output), [])
        if call.key.operator in CONVOLUTIONS and len(behind) == 1 and behind[0].key.operator.startswith("batchnorm"):
            found.append((call.key.layer, behind[0].key.layer))
    return found


def fuse(network: Any) -> Any:
    """Fuse the branches of a network in place, as PaddleOCR's export does; return it."""
    for layer in network.sublayers():
        if hasattr(layer, "rep") and not getattr(layer, "is_repped", False):
            layer.rep()
    return network


def structure_of(trained: Any, exported: Any, tensor: Any, *, folds: bool = False) -> Structure:
    """Return what two copies of a network run, one of which was fused."""
    fusing = tuple(name for name, layer in trained.named_sublayers() if hasattr(layer, "rep"))
    return Structure(calls_of(trained, tensor), calls_of(exported, tensor), fusing, folds)
