"""`python bare_loop.py FOLDER`: both models on the images, as a script without the plugin runs them; prints seconds.

PaddleOCR's own operators, network and post-process on one side, the deployed class of `paddleocr` on the other,
nothing compared. The first image is not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pytest_ocrparity.backends.isolation import isolated_checkout
from pytest_ocrparity.settings import load_settings


def train_side(train: dict[str, Any]) -> Callable[[Path], Any]:
    """Return what `tools/infer_det.py` does with an image, for the example's own network."""
    with isolated_checkout(
        train["paddleocr_root"]
    ):  # only for the import: its `paddleocr` would shadow the installed one
        import paddle
        from ppocr.data import create_operators, transform
        from ppocr.postprocess import build_post_process

        from example_project.tiny_db.network import build

    config = yaml.safe_load(Path(train["config"]).read_text())
    network = build(config["Architecture"])
    network.set_state_dict(paddle.load(f"{train['checkpoint']}.pdparams"))
    network.eval()
    transforms = [entry for entry in config["Eval"]["dataset"]["transforms"] if "Label" not in next(iter(entry))]
    for entry in transforms:
        if "KeepKeys" in entry:
            entry["KeepKeys"]["keep_keys"] = ["image", "shape"]
    operators = create_operators(transforms, config["Global"])
    post_process = build_post_process(config["PostProcess"])

    def run(path: Path) -> Any:
        image, shape = transform({"image": path.read_bytes()}, operators)
        with paddle.no_grad():
            maps = network(paddle.to_tensor(np.expand_dims(image, 0)))
        return post_process(maps, np.expand_dims(shape, 0))

    return run


def inference_side(values: Mapping[str, Any]) -> Any:
    """Return the deployed class that the settings name, with their options."""
    import paddleocr

    api = values.get("api") or "TextDetection"
    prefix = "text_detection_" if api == "PaddleOCR" else ""
    name = yaml.safe_load((values["model_dir"] / "inference.yml").read_text())["Global"]["model_name"]
    export = {f"{prefix}model_name": name, f"{prefix}model_dir": str(values["model_dir"])}
    return getattr(paddleocr, api)(**export, **values["options"])


def main(folder: Path) -> None:
    """Run both models on every image."""
    settings = load_settings(folder / "pyproject.toml", {}, folder)
    train = train_side(dict(settings.train))
    inference = inference_side(settings.candidates["inference"].values)
    found, start = 0, 0.0
    for index, path in enumerate(sorted((folder / "images").iterdir())):
        found += len(train(path)[0]["points"]) + len(inference.predict(str(path))[0]["dt_polys"])
        start = start if index else time.perf_counter()
    print(f"{time.perf_counter() - start} seconds, {found} boxes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
