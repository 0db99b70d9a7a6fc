"""Exports, checkpoints and pages that were really made wrong."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from faults.deployment import EXAMPLE, EXPORT_YML, TRAIN_YML, Deployment, save, trained
from pytest_ocrparity.backends.isolation import isolated


def changed_weights(d: Deployment, change: Callable[[str, Any], Any]) -> None:
    """Export the checkpoint with some of its arrays changed."""

    def apply(network: Any) -> None:
        state = {key: np.asarray(value.numpy()) for key, value in network.state_dict().items()}
        network.set_state_dict({key: np.asarray(change(key, value), value.dtype) for key, value in state.items()})

    d.export(apply)


def untrained(d: Deployment) -> None:
    from example_project.tiny_db.network import build

    config = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    network = build(config["Architecture"])
    network.eval()
    save(network, d.folder / "inference")


def other_architecture(d: Deployment) -> None:
    """The example's other detector, whose stages have depthwise convolutions."""
    mobile = yaml.safe_load((EXAMPLE / "configs" / "tiny_mobile.yml").read_text())["Architecture"]

    def build(_: Any) -> Any:
        from example_project.tiny_db.network import build

        return build(mobile)

    save(trained("tiny_mobile", build=build), d.folder / "inference")


def early(d: Deployment) -> None:
    save(trained("tiny_db_early"), d.folder / "inference")


def partly_loaded(d: Deployment) -> None:
    from example_project.tiny_db.network import build

    config = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    fresh = {key: value.numpy() for key, value in build(config["Architecture"]).state_dict().items()}
    changed_weights(d, lambda key, value: fresh[key] if key.startswith("lateral.1") else value)


def scaled_weight(d: Deployment) -> None:
    changed_weights(d, lambda key, value: value * 1.05 if key == "lateral.1.weight" else value)


def other_graph(d: Deployment) -> None:
    save(own_network(d, "cubed"), d.folder / "inference")
    d.train.pop("network")


def two_outputs(d: Deployment) -> None:
    save(own_network(d, "two_outputs"), d.folder / "inference")


def early_half(d: Deployment) -> None:
    network = trained("tiny_db_early")
    state = {key: np.asarray(value.numpy()) for key, value in network.state_dict().items()}
    kernels = {key: value.astype(np.float16).astype(value.dtype) for key, value in state.items() if value.ndim == 4}
    network.set_state_dict({**state, **kernels})
    save(network, d.folder / "inference")


def half(d: Deployment) -> None:
    changed_weights(d, lambda _, value: value.astype(np.float16) if value.ndim == 4 else value)


def eight_bits(d: Deployment) -> None:
    def rounded(_: str, value: Any) -> Any:
        if value.ndim != 4:
            return value
        step = np.maximum(np.abs(value).max(axis=(1, 2, 3), keepdims=True), 1e-12) / 127
        return np.round(value / step) * step

    changed_weights(d, rounded)


def bfloat16(d: Deployment) -> None:
    def cut(_: str, value: Any) -> Any:
        if value.ndim != 4:
            return value
        return (np.ascontiguousarray(value).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)

    changed_weights(d, cut)


def eight_bits_with_zero_points(d: Deployment) -> None:
    def rounded(_: str, value: Any) -> Any:
        if value.ndim != 4:
            return value
        step = (value.max() - value.min()) / 255
        zero = np.round(-value.min() / step)
        return (np.clip(np.round(value / step) + zero, 0, 255) - zero) * step

    changed_weights(d, rounded)


def _on_steps(values: Any, most: int) -> Any:
    step = np.abs(values).max() / most
    return np.round(values / step) * step


def seven_bits(d: Deployment) -> None:
    changed_weights(d, lambda _, value: _on_steps(value, 63) if value.ndim == 4 else value)


def noise_of_half_a_step(d: Deployment) -> None:
    rng = np.random.default_rng(0)

    def moved(_: str, value: Any) -> Any:
        half = np.abs(value).max() / 254
        return value + rng.uniform(-half, half, value.shape) if value.ndim == 4 else value

    changed_weights(d, moved)


def quantised_then_trained(d: Deployment) -> None:
    """What training on with fake-quantised weights leaves: 8 bits, which are not the checkpoint rounded."""
    rng = np.random.default_rng(0)

    def learnt(_: str, value: Any) -> Any:
        moved = value + rng.normal(size=value.shape) * np.std(value) * 0.02
        return _on_steps(moved, 127) if value.ndim == 4 else value

    changed_weights(d, learnt)


def overflowed(d: Deployment) -> None:
    def spoilt(key: str, value: Any) -> Any:
        if key == "stem.0.weight":
            value = value.copy()
            value[0, 0, 0, 0] = np.inf
        return value

    changed_weights(d, spoilt)


def not_a_number(d: Deployment) -> None:
    changed_weights(d, lambda key, value: value * np.nan if key == "probability.layers.4.bias" else value)


def train_mode(d: Deployment) -> None:
    def train(network: Any) -> None:
        network.train()

    d.export(train)


OWN_NETWORK = '''
from collections.abc import Mapping

import paddle
from paddle import nn
from paddle.nn import functional
from tiny_db.network import TinyDB, build as build_plain


class Branching(TinyDB):
    """Looks at small pages as they are and blurs large ones first: a Python branch on the input's size."""

    def forward(self, x):
        if self.is_large(x):
            x = functional.avg_pool2d(x, 3, stride=1, padding=1)
        return TinyDB.forward(self, x)

    def is_large(self, x):
        return x.shape[2] > 500


class Small(Branching):
    """What a trace with a small placeholder takes down."""

    def is_large(self, x):
        return False


class Cubed(TinyDB):
    """An older network, whose maps were steeper."""

    def forward(self, x):
        return {"maps": TinyDB.forward(self, x)["maps"] ** 3}


class TwoOutputs(TinyDB):
    """Returns a second map, whose name comes first in the alphabet."""

    def forward(self, x):
        maps = TinyDB.forward(self, x)["maps"]
        return {"cbn_maps": maps * maps, "maps": maps}


class Enlarging(TinyDB):
    """Works at half the size and enlarges its map, corner on corner."""

    def forward(self, x):
        maps = TinyDB.forward(self, functional.avg_pool2d(x, 2))["maps"]
        return {"maps": functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=True)}


class Unbranching(Branching):
    """The same, written without a branch that a trace can freeze."""

    def forward(self, x):
        blurred = functional.avg_pool2d(x, 3, stride=1, padding=1)
        large = (paddle.shape(x)[2] > 500).astype("float32")
        return TinyDB.forward(self, large * blurred + (1 - large) * x)


class Frozen(TinyDB):
    """Takes the page apart and puts it together again, with sizes that a trace freezes."""

    def forward(self, x):
        height, width = int(x.shape[2]), int(x.shape[3])
        return TinyDB.forward(self, x.reshape([1, 3, height * width]).reshape([1, 3, height, width]))


def _arguments(architecture):
    return {
        "channels": architecture["Backbone"]["channels"],
        "width": architecture["Neck"]["out_channels"],
        "steepness": architecture["Head"]["k"],
    }


def branching(architecture):
    return Branching(**_arguments(architecture))


def small(architecture):
    return Small(**_arguments(architecture))


def cubed(architecture):
    return Cubed(**_arguments(architecture))


def two_outputs(architecture):
    return TwoOutputs(**_arguments(architecture))


def enlarging(architecture):
    return Enlarging(**_arguments(architecture))


def unbranching(architecture):
    return Unbranching(**_arguments(architecture))


def frozen(architecture):
    return Frozen(**_arguments(architecture))


class Pair(nn.Layer):
    """What a Distillation yml trains."""

    def __init__(self, architecture):
        super().__init__()
        for name in architecture["Models"]:
            self.add_sublayer(name, build_plain(architecture["Models"][name]))

    def forward(self, x):
        return {name: layer(x) for name, layer in self.named_children()}


def pair(architecture):
    return Pair(architecture)
'''


def own_network(d: Deployment, name: str) -> Any:
    """Give the project a network of its own, with the example's weights; return it."""
    (d.folder / "own_network.py").write_text(OWN_NETWORK)
    d.train["network"] = f"own_network:{name}"
    for folder in (str(d.folder), str(EXAMPLE)):
        sys.path.insert(0, folder)
    try:
        sys.modules.pop("own_network", None)
        with isolated():  # paddle warns where it is imported first
            import own_network as module  # type: ignore[import-not-found]

            return trained(build=getattr(module, name))
    finally:
        del sys.path[:2]
        sys.modules.pop("own_network", None)


def bilinear_maps(d: Deployment) -> None:
    """A network whose last operator is a bilinear one with align_corners, which oneDNN of paddle 3.2 does not heed."""
    save(own_network(d, "enlarging"), d.folder / "inference")
    d.options["enable_mkldnn"] = True


def frozen_branch(d: Deployment) -> None:
    save(own_network(d, "small"), d.folder / "inference")
    d.train["network"] = "own_network:branching"


def fixed_shape(d: Deployment) -> None:
    save(own_network(d, "frozen"), d.folder / "inference", shape=[1, 3, 480, 640])


def unfrozen(d: Deployment) -> None:
    """Do what the fix says: no branch, any size."""
    name = "unbranching" if "branching" in d.train["network"] else None
    if name is None:
        d.train.pop("network")
        d.export()
    else:
        save(own_network(d, name), d.folder / "inference")


def other_sub_model(d: Deployment) -> None:
    """A Distillation yml whose evaluation is of Student, and whose export is of Student2."""

    def distil(document: dict[str, Any]) -> None:
        one = {key: value for key, value in document["Architecture"].items() if key != "model_type"}
        models = {"Student": one, "Student2": dict(one)}
        document["Architecture"] = {"model_type": "det", "algorithm": "Distillation", "Models": models}
        document["PostProcess"] |= {"name": "DistillationDBPostProcess", "model_name": ["Student"]}

    d.edit(TRAIN_YML, distil)
    (d.folder / "own_network.py").write_text(OWN_NETWORK)
    d.train |= {"network": "own_network:pair", "sub_model": "Student", "checkpoint": "checkpoints/pair"}
    with isolated():
        import paddle

        state: dict[str, Any] = {}
        for name, checkpoint in (("Student", "tiny_db"), ("Student2", "tiny_db_early")):
            weights = paddle.load(str(EXAMPLE / "checkpoints" / f"{checkpoint}.pdparams"))
            state |= {f"{name}.{key}": value for key, value in weights.items()}
        paddle.save(state, str(d.folder / "checkpoints" / "pair.pdparams"))
    early(d)
    (d.folder / "checkpoints" / "tiny_db_early.pdparams").unlink()


def wrong_fusion(d: Deployment) -> None:
    """A network with branches to fuse, exported without one of them."""
    shutil.copy(Path(__file__).parents[1] / "real" / "blob_net.py", d.folder / "own_blob.py")
    d.train |= {"network": "own_blob:build", "checkpoint": "checkpoints/blob"}

    def fused(network: Any, *, is_right: bool) -> Any:
        narrow = network.stem.narrow.weight
        trained = narrow.numpy()
        narrow.set_value(trained if is_right else 0 * trained)
        network.stem.rep()
        narrow.set_value(trained)  # paddle 3.0 stores it beside the fused weight
        return network

    def write(*, is_right: bool) -> None:
        with isolated():
            import paddle
            from real.blob_net import BlobNet

            network = BlobNet()
            paddle.save(network.state_dict(), str(d.folder / "checkpoints" / "blob.pdparams"))
            network.eval()
            save(fused(network, is_right=is_right), d.folder / "inference")

    write(is_right=False)
    d.export_again = lambda: write(is_right=True)


def stale_program(d: Deployment) -> None:
    """An old inference.json of a network that was another one, beside the right and newer inference.pdmodel."""
    shutil.copy(EXAMPLE / "inference_pdmodel" / "inference.pdmodel", d.folder / "inference")
    save(own_network(d, "cubed"), d.folder / "inference")
    d.train.pop("network")
    shutil.copy(EXAMPLE / "inference_pdmodel" / "inference.pdiparams", d.folder / "inference")
    old = (d.folder / "inference" / "inference.json").stat().st_mtime - 86400
    os.utime(d.folder / "inference" / "inference.json", (old, old))


def page(d: Deployment, name: str, image: Any) -> None:
    """Write a page of the case's own."""
    import cv2

    assert cv2.imwrite(str(d.folder / "images" / name), image)
    d.image = f"images/{name}"


def _receipt() -> Any:
    import cv2

    return cv2.imread(str(EXAMPLE / "images" / "receipt.png"))


def long_page(d: Deployment) -> None:
    """4320 px long after the resize, beyond paddleocr's cap of 4000, and as low as its limits let it be."""
    page(d, "long.png", np.concatenate([_receipt()[:360, :540]] * 8, axis=1))
    limits = {"limit_side_len": 320, "limit_type": "min"}
    d.operator(TRAIN_YML, "DetResizeForTest", **limits)
    d.options |= limits


def very_wide_page(d: Deployment) -> None:
    """40,000 px wide, with text beyond 32,767; both sides scale the long side to 6,400."""
    import cv2

    text = cv2.resize(_receipt(), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)[:600]
    wide = np.full((600, 40000, 3), int(np.median(text)), np.uint8)
    wide[:, 36000 : 36000 + text.shape[1]] = text
    page(d, "wide.png", wide)
    limits = {"limit_side_len": 6400, "limit_type": "max"}
    d.operator(TRAIN_YML, "DetResizeForTest", **limits)
    d.options |= limits
    d.predict_options["max_side_limit"] = 100000


def polygons(d: Deployment) -> None:
    """Do what the fix says: polygons are not cast to int16."""
    for name in (TRAIN_YML, EXPORT_YML):
        d.operator(name, "PostProcess", box_type="poly")


def tiny_page(d: Deployment) -> None:
    """A page so small that its lowest words are 2 px high, and its boxes 3."""
    import cv2

    small = np.full((100, 140, 3), 245, np.uint8)
    small[10:18, 20:90] = cv2.resize(_receipt()[60:100, 60:400], (70, 8))
    for top in (40, 60):
        small[top : top + 1, 30:60] = 20
    page(d, "tiny.png", small)


def sixteen_bits(d: Deployment) -> None:
    page(d, "deep.png", _receipt().astype(np.uint16) * 257)


def wrong_suffix(d: Deployment) -> None:
    shutil.copy(EXAMPLE / "images" / "receipt.png", d.folder / "images" / "receipt.gif")
    d.image = "images/receipt.gif"


def insert_operator(d: Deployment, name: str, arguments: Mapping[str, Any] | None, before: str) -> None:
    def insert(document: dict[str, Any]) -> None:
        transforms = document["Eval"]["dataset"]["transforms"]
        index = next(index for index, entry in enumerate(transforms) if before in entry)
        transforms.insert(index, {name: arguments})

    d.edit(TRAIN_YML, insert)


def random_operator(d: Deployment) -> None:
    insert_operator(d, "ColorJitter", {"brightness": 0.3, "contrast": 0.3}, "DetResizeForTest")


def random_crop(d: Deployment) -> None:
    insert_operator(d, "RandomScaling", {"size": 640, "short_side": 640}, "DetResizeForTest")
