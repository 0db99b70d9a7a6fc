"""Wrappers around the real inference side that nearly look like a fault of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from faults import exports, ports
from faults.box_hooks import shorter_side
from faults.deployment import Deployment, save, trained
from faults.page_hooks import square
from faults.ports import MEAN, STD, Array, Port, decoded
from pytest_ocrparity import Decoded, Detections, Trace
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.trace import Image, Shape


class PadsToSquare(Port):
    """A3: the page is padded with grey 114 to a square, right or below; boxes come back by the square."""

    def preprocess(self, image: Image) -> Trace:
        pixels = decoded(image)
        return replace(super().preprocess(square(114)(pixels)), decode=Decoded.of(pixels, "BGR"))


class ScaledByClient(Port):
    """A client halves the page before it sends it, and doubles the boxes that come back."""

    def preprocess(self, image: Image) -> Trace:
        import cv2

        return super().preprocess(np.asarray(cv2.resize(decoded(image), None, fx=0.5, fy=0.5)))

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        return Detections(tuple(box * 2 for box in made.polygons), made.scores)


class FixedBuffer(Port):
    """The network runs in a buffer of one size, whatever ran before: wrong, and the same each time."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        height, width = tensor.shape[2:]
        buffer = np.full((1, 3, height + 64, width + 64), 2.0, np.float32)
        buffer[..., :height, :width] = tensor
        return super().infer(buffer)[..., :height, :width]

    def fresh(self) -> Port:
        return type(self)(self.inner)


class RacesAnew(ports.Racing):
    """An engine that returns another map each time, newly loaded or not."""

    def fresh(self) -> Port:
        return type(self)(self.inner)


class NormalisesTwice(ports.ChangesTensor):
    """A5: what comes out of the normalisation goes through it again."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray((tensor - MEAN) / STD)


class MoreContrast(ports.ChangesTensor):
    """A5: pixels are multiplied by 0.9 and lifted by 12 before they are normalised."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray(((tensor * STD + MEAN) * 0.9 + 12 / 255 - MEAN) / STD)


class VariesNot(Port):
    """A14: `varied` takes any parameter and changes none of those that count."""

    ignored: tuple[str, ...] = ()

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Port:
        heeded = {
            stage: {name: value for name, value in values.items() if name not in self.ignored}
            for stage, values in changes.items()
        }
        return type(self)(self.inner.varied({stage: values for stage, values in heeded.items() if values}))


class KeepsImageShape(VariesNot):
    ignored = ("image_shape",)


class KeepsUnclipRatio(VariesNot):
    ignored = ("unclip_ratio",)


class Filters20(Port):
    """Boxes whose shorter side is below 20 px of the page are dropped."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        kept = [index for index, box in enumerate(made.polygons) if shorter_side(box) >= 20]
        return Detections(tuple(made.polygons[index] for index in kept), made.scores[kept])


def two_point_names(network: Any) -> Any:
    """Name a network's arrays as programs of paddle 2.x do, which say nothing of the layer they belong to."""
    kinds = {"weight": "weights", "bias": "b_attr", "_mean": "bn_mean", "_variance": "bn_variance"}
    for index, (name, array) in enumerate(network.state_dict().items()):
        array.name = f"conv{index}_{kinds[name.rsplit('.')[-1]]}"
    return network


def renamed(d: Deployment) -> None:
    """A8: the right export, with names of 2.x."""
    save(two_point_names(trained()), d.folder / "inference")


def renamed_early(d: Deployment) -> None:
    """A8: the same of another checkpoint, which lies beside."""
    save(two_point_names(trained("tiny_db_early")), d.folder / "inference")


def renamed_other(d: Deployment) -> None:
    """A8: the same of weights that are nowhere else."""
    renamed_early(d)
    (d.folder / "checkpoints" / "tiny_db_early.pdparams").unlink()


STEEP = '''
from paddle.nn import functional
from tiny_db.network import TinyDB


class Steep(TinyDB):
    """A network whose map is so steep that rounding moves it."""

    def forward(self, x):
        return {"maps": functional.sigmoid(1e6 * (TinyDB.forward(self, x)["maps"] - 0.3))}


def steep(architecture):
    return Steep(
        channels=architecture["Backbone"]["channels"],
        width=architecture["Neck"]["out_channels"],
        steepness=architecture["Head"]["k"],
    )
'''


def steep(d: Deployment) -> None:
    """A7: a right export of a network that no limit can judge."""
    before = exports.OWN_NETWORK
    try:
        exports.OWN_NETWORK = STEEP
        network = exports.own_network(d, "steep")
    finally:
        exports.OWN_NETWORK = before
    with isolated():
        save(network, d.folder / "inference")
