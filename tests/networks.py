"""What a diagnosis asks of networks, in numpy: one of a trained side, one of an export, one of a single size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from diagnosing import OTHER_PAGE, Array, on, stopped
from scipy.special import expit
from toy import Toy

from pytest_ocrparity.trace import Trace

RNG = np.random.default_rng(0)
WEIGHTS: Mapping[str, Array] = {
    "conv2d_0.w_0": RNG.uniform(0.5, 1.5, (32, 3, 1, 1)).astype(np.float32),
    "conv2d_1.w_0": (RNG.uniform(0.5, 1.5, (1, 32, 1, 1)) / 96).astype(np.float32),
    "conv2d_1.b_0": np.array([0.3], np.float32),
}
KEYS = {"conv2d_0.w_0": "stem.weight", "conv2d_1.w_0": "head.weight", "conv2d_1.b_0": "head.bias"}
FRESH = np.tile(np.array([0.5, 1.5], np.float32), 16)[np.argsort(RNG.random(32))].reshape(1, 32, 1, 1) / np.float32(96)
TURNED = np.ascontiguousarray(WEIGHTS["conv2d_1.w_0"][:, ::-1])
CONSTANT = np.full((1, 32, 1, 1), 1 / 96, np.float32)
NO_BIAS = np.zeros(1, np.float32)


@dataclass
class OneSize(Toy):
    """Its program takes (height, width) alone; `own_gain` is what its network does there."""

    size: tuple[int, int] = (64, 96)

    def infer(self, tensor: Array) -> Array:
        if tensor.shape[2:] != self.size:
            raise RuntimeError(f"expected {self.size}")
        return super().infer(tensor)

    def input_size(self) -> tuple[int, int]:
        return self.size


def of_one_size(side: OneSize, pixels: Array = OTHER_PAGE, name: str = "page 0") -> Trace:
    """Return the trace of a side whose network stopped at the size of this page."""
    return replace(stopped(on(replace(side, size=pixels.shape[:2]), pixels, name)), source=side)


@dataclass(frozen=True)
class Network:
    """What a diagnosis asks of a trained network, in numpy: two 1x1 convolutions and a sigmoid."""

    weights: Mapping[str, Array] = field(default_factory=lambda: WEIGHTS)
    gain: float = 6.0
    fused: Network | None = None
    used: tuple[str, ...] = ()
    siblings: Mapping[str, Network] = field(default_factory=dict)

    def arrays(self) -> Mapping[str, Array]:
        return {name: array.copy() for name, array in self.weights.items()}  # as paddle's are

    def keys(self) -> Mapping[str, str]:
        return KEYS

    def with_arrays(self, arrays: Mapping[str, Array]) -> Network:
        return replace(self, weights={**self.weights, **arrays})

    def in_train_mode(self, *, batch_norm: bool) -> Network:
        return replace(self, gain=4.0 if batch_norm else 5.0)

    def run(self, tensor: Array) -> Array:
        stem, head, bias = (self.weights[name] for name in KEYS)
        hidden = np.einsum("oc,nchw->nohw", stem[:, :, 0, 0], tensor)
        return np.asarray(
            expit(self.gain * (np.einsum("oc,nchw->nohw", head[:, :, 0, 0], hidden) - bias[0])), np.float32
        )


FUSED = "conv2d_3.w_0"
BRANCHES = {
    **WEIGHTS,
    "conv2d_0.w_0": np.asarray(WEIGHTS["conv2d_0.w_0"] * 0.4),
    "conv2d_2.w_0": np.asarray(WEIGHTS["conv2d_0.w_0"][::-1] * 0.6),
}


@dataclass(frozen=True)
class Fused(Network):
    """The same with a stem that was made of two branches."""

    def keys(self) -> Mapping[str, str]:
        return {**KEYS, FUSED: "stem.fused.weight"}

    def run(self, tensor: Array) -> Array:
        return Network({**self.weights, "conv2d_0.w_0": self.weights[FUSED]}).run(tensor)


@dataclass(frozen=True)
class Branched(Network):
    """Has a stem of two branches of one shape, which its fused copy adds up."""

    def keys(self) -> Mapping[str, str]:
        return {**KEYS, "conv2d_2.w_0": "stem.other.weight"}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Branched:
        made = {**self.weights, **arrays}
        return replace(self, weights=made, fused=fused(branches=made))

    def run(self, tensor: Array) -> Array:
        both = self.weights["conv2d_0.w_0"] + self.weights["conv2d_2.w_0"]
        return Network({**self.weights, "conv2d_0.w_0": both}).run(tensor)


def fused(share: float = 1.0, branches: Mapping[str, Array] = BRANCHES) -> Fused:
    """Return the fused copy of branches, with a share of the second one."""
    stem = branches["conv2d_0.w_0"] + np.float32(share) * branches["conv2d_2.w_0"]
    return Fused({**{name: WEIGHTS[name] for name in ("conv2d_1.w_0", "conv2d_1.b_0")}, FUSED: np.asarray(stem)})


@dataclass
class Trained(Toy):
    network: Network = field(default_factory=Network)
    folder: Path = Path("no-such-folder")

    @property
    def files(self) -> SimpleNamespace:
        config, checkpoint = self.folder / "config.yml", self.folder / "best.pdparams"
        return SimpleNamespace(checkpoint=checkpoint, config=config, yml={}, paddleocr_root=None, trust=False)

    def infer(self, tensor: Array) -> Array:
        return self.network.run(tensor)


@dataclass
class Exported(Toy):
    network_run: Network = field(default_factory=Network)
    power: int = 1

    def infer(self, tensor: Array) -> Array:
        return np.asarray(self.network_run.run(tensor) ** self.power)

    def stored_weights(self) -> Mapping[str, Array]:
        return self.network_run.weights

    def stores_all_weights(self) -> bool:
        return True


@dataclass
class Renamed(Exported):
    """Stores its arrays under other names."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, export: Exported, names: tuple[str, ...]) -> Renamed:
        return cls(name=export.name, network_run=export.network_run, power=export.power, names=names)

    def stored_weights(self) -> Mapping[str, Array]:
        return dict(zip(self.names, super().stored_weights().values(), strict=True))


def export_with(**changed: Array) -> Exported:
    """Return an export with other arrays, given as `head_w=` and the like."""
    short = {"conv2d_1.w_0": "head_w", "conv2d_1.b_0": "head_b"}
    named = {name: changed.get(short.get(name, ""), array) for name, array in WEIGHTS.items()}
    return Exported(name="port", network_run=Network(named))
