"""The networks that faults are drawn for, each as a trained side and as a copy to be exported.

The example's detector has its trained weights. All others have random ones, with batch norms that hold the statistics
of the page and affines that are not 1 and 0, so that no layer does nothing.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from paths import EXAMPLE
from real.blob import export_yml, operators_root, write_yml

from layers.faults import Fault
from layers.forms import load_form, write_form
from layers.structure import Structure, fuse, structure_of
from pytest_ocrparity import Pipeline, Trace
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.compare.sensitivity import map_sensitivity, sensitivity_limit

ALL = os.environ.get("OCRPARITY_ALL_LAYERS") == "1"
"""Whether every fault is run, or the short list that CI has time for."""
CHECKOUT = os.environ.get("OCRPARITY_PADDLEOCR_CHECKOUT") if ALL else None
"""A checkout is one per process: where there is one, all networks take their operators from it."""
LIMITS: Mapping[str, Any] = {"limit_side_len": 64, "limit_type": "min"}
"""Small pages stay as they are."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """Where a network comes from: its training yml, its checkpoint where it is trained, who builds it.

    Attributes:
        needs_checkout: whether PaddleOCR builds it; `config` is then a path in the checkout.
        build, folder: who builds it else, as the setting `train.network` names it, and what lies on `sys.path` then.
    """

    config: str
    checkpoint: Path | None = None
    needs_checkout: bool = False
    build: str | None = None
    folder: Path | None = None


NETWORKS: Mapping[str, Source] = {
    "tiny": Source(
        str(EXAMPLE / "configs/tiny_db.yml"),
        EXAMPLE / "checkpoints/tiny_db.pdparams",
        build="tiny_db.network:build",
        folder=EXAMPLE,
    ),
    "branches": Source(str(EXAMPLE / "configs/tiny_db.yml"), build="layers.branches_net:build", folder=HERE.parent),
    "v5": Source("configs/det/PP-OCRv5/PP-OCRv5_mobile_det.yml", needs_checkout=True),
    "v3": Source("configs/det/PP-OCRv3/PP-OCRv3_mobile_det.yml", needs_checkout=True),
}


def page(number: int = 0) -> npt.NDArray[np.uint8]:
    """Return a part of the example's receipt; (320, 416, 3) uint8 BGR."""
    with isolated():
        import cv2

        whole: npt.NDArray[np.uint8] = cv2.imread(str(EXAMPLE / "images" / "receipt.png"))
    top = 40 + 120 * number
    return np.ascontiguousarray(whole[top : top + 320, 40:456])


class Subject:
    """A network in a folder: its yml and checkpoint, its trained side, its copies."""

    def __init__(self, name: str, folder: Path, seed: int = 0) -> None:
        """Write the yml and the checkpoint."""
        self.name, self.folder, self.source = name, folder, NETWORKS[name]
        self.root = Path(CHECKOUT) if CHECKOUT is not None else operators_root()
        path = self.root / self.source.config if self.source.needs_checkout else Path(self.source.config)
        self.yml: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        for transform in self.yml["Eval"]["dataset"]["transforms"]:
            if "DetResizeForTest" in transform:
                transform["DetResizeForTest"] = dict(LIMITS)
        self.yml["Global"] |= {"checkpoints": None, "pretrained_model": None}
        folder.mkdir(parents=True, exist_ok=True)
        self.config = write_yml(folder / "config.yml", self.yml)
        self.checkpoint = self.source.checkpoint
        if self.checkpoint is None:
            self.checkpoint = folder / "best.pdparams"
            _write_random(self._untrained(), self.checkpoint, page(), seed, self._isolated())

    def _isolated(self) -> AbstractContextManager[None]:
        return isolated_checkout(self.root) if self.source.needs_checkout else isolated()

    def _untrained(self) -> Any:
        with self._isolated():
            if self.source.needs_checkout:
                from ppocr.modeling.architectures import build_model

                return build_model(copy.deepcopy(self.yml["Architecture"]))
            if self.name == "tiny":
                from example_project.tiny_db.network import build
            else:
                from layers.branches_net import build
            return build(self.yml["Architecture"])

    def network(self) -> Any:
        """Return a copy of the trained network, in evaluation mode."""
        network = self._untrained()
        with isolated():
            import paddle

            network.set_state_dict(paddle.load(str(self.checkpoint)))
            network.eval()
        return network

    @cached_property
    def side(self) -> Pipeline:
        """The trained side."""
        return load_training(
            config=self.config,
            checkpoint=self.checkpoint,
            network=self.source.build,
            network_folder=self.source.folder,
            paddleocr_root=self.root,
        )

    @cached_property
    def reference(self) -> Trace:
        """The trace of the trained side on the page."""
        return self.side.trace(page())

    @property
    def limit(self) -> float:
        """By how much a map may differ: the gate's automatic `probability_maps.atol`."""
        return sensitivity_limit(map_sensitivity(self.reference))

    def structure(self, form: str) -> Structure:
        """Return what runs, and what is one in a file of this form."""
        return self._structures[form == "folded"]

    @cached_property
    def _structures(self) -> tuple[Structure, Structure]:
        with isolated():
            networks = self.network(), fuse(self.network())
            tensor = np.asarray(self.reference.tensor)
            return (
                structure_of(*networks, tensor),
                structure_of(*networks, tensor, folds=True),
            )

    def faulty(self, fault: Fault | None) -> tuple[Any, Mapping[Any, Any]]:
        """Return a copy as it is exported, with a fault, and what is put in the place of its calls."""
        with isolated():
            import paddle
        # As in a process of its own: parameters are numbered from 0.
        with isolated(), paddle.utils.unique_name.guard():
            network = self.network()
            if fault is None:
                return fuse(network), {}
            if fault.is_before_fusion():
                changes = fault.inject(network)
                return fuse(network), changes
            fuse(network)
            return network, fault.inject(network)

    def export(self, fault: Fault | None, form: str, folder: Path, *, mean: Sequence[float] = MEAN) -> Pipeline:
        """Write an export, with a fault or right, and load it; `mean` is what its inference.yml subtracts."""
        folder.mkdir(parents=True, exist_ok=True)
        yml = copy.deepcopy(self.yml)
        for transform in yml["Eval"]["dataset"]["transforms"]:
            if "NormalizeImage" in transform:
                transform["NormalizeImage"]["mean"] = list(mean)
        write_yml(folder / "inference.yml", export_yml(yml))
        network, changes = self.faulty(fault)
        write_form(network, form, folder, changes)
        return load_form(form, folder, LIMITS)


def _write_random(
    network: Any, path: Path, pixels: npt.NDArray[np.uint8], seed: int, around: AbstractContextManager[None]
) -> None:
    """Save weights that are drawn, with the statistics of a page."""
    rng = np.random.default_rng(seed)
    with around:
        import paddle

        for layer in network.sublayers():
            is_norm = hasattr(layer, "_momentum")
            for name, parameter in layer._parameters.items():
                if parameter is None:
                    continue
                shape = parameter.shape
                if len(shape) == 4:
                    is_transposed = type(layer).__name__ == "Conv2DTranspose"
                    value = rng.normal(0.0, 1.0, shape) * np.sqrt(
                        2.0 / np.prod(shape[:1] if is_transposed else shape[1:])
                    )
                elif name in ("weight", "scale"):
                    value = rng.uniform(0.6, 1.4, shape)
                else:
                    value = rng.normal(0.0, 0.3, shape)
                parameter.set_value(value.astype(np.float32))
            if is_norm:
                layer._momentum = 0.0  # batch statistics, taken once
        network.train()
        tensor = (pixels / 255.0 - np.array(MEAN)) / np.array(STD)
        with paddle.no_grad():
            network(paddle.to_tensor(tensor.transpose(2, 0, 1)[None].astype(np.float32)))
        paddle.save(network.state_dict(), str(path))
