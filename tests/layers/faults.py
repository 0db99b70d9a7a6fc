"""A fault in a layer: where it is, what it does, and what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from layers.calls import Change, Key, has_parameters
from layers.kinds import KINDS
from layers.structure import Structure


@dataclass(frozen=True)
class Fault:
    """One fault of one export.

    Attributes:
        network: the name of the network, as in `networks.NETWORKS`.
        form: how it is exported, as in `forms.FORMS`.
        kind: the kind, as in `kinds.KINDS`.
        layer, operator, nth: the call that has it, as in `calls.Key`.
        arguments: what was drawn.
        moved: by how much it moves the map, in limits of the gate.
    """

    network: str
    form: str
    kind: str
    layer: str
    operator: str
    nth: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    moved: float = 0.0

    @property
    def key(self) -> Key:
        """The call."""
        return Key(self.layer, self.operator, self.nth)

    @property
    def name(self) -> str:
        """What a test is called, and what finds it in the list."""
        drawn = ",".join(f"{key}={value}" for key, value in self.arguments.items()).replace(" ", "")
        return f"{self.network}-{self.form}-{self.kind}-{self.layer or '(network)'}:{self.operator}{self.nth}[{drawn}]"

    def inject(self, network: Any) -> Mapping[Key, Change]:
        """Change a network; return what is to be put in the place of a call.

        A fault of the trained network is injected before its branches are fused, any other after.
        """
        layers = dict(network.named_sublayers())
        change = KINDS[self.kind].change(self.key, layer_of(self.key, layers), dict(self.arguments))
        return {} if change is None else {self.key: change}

    def is_before_fusion(self) -> bool:
        """Whether it is a fault of the network as it is trained."""
        return KINDS[self.kind].is_before_fusion

    def right_names(self, structure: Structure) -> frozenset[str]:
        """Return the finest set of names that the file can tell apart."""
        return structure.one_with(self.layer)

    def right_operators(self, structure: Structure) -> tuple[str, ...] | None:
        """Return words of which the operator's name must have one, where the names alone do not say the place."""
        is_act = self.kind == "activation" and self.operator.startswith("batchnorm")
        return structure.operators(self.key._replace(operator="act") if is_act else self.key)

    def rounded(self) -> Fault:
        """Return it as it is written down."""
        return replace(self, moved=float(f"{self.moved:.2g}"))

    def as_json(self) -> dict[str, Any]:
        """Return what the list holds."""
        return asdict(self.rounded())


def layer_of(key: Key, layers: Mapping[str, Any]) -> Any:
    """Return the layer of a call with parameters of its own, and None for an operator."""
    layer = layers.get(key.layer)
    is_own = type(layer).__name__.lower() == key.operator and has_parameters(layer)
    return layer if is_own else None
