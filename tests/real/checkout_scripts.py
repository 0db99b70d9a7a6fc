"""Run the scripts of a full checkout on the example's exports; print as JSON what was found: CHECKOUT FOLDER."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from paths import EXAMPLE

from pytest_ocrparity.artifacts.model_files import find_export_files, fingerprint_export_files
from pytest_ocrparity.backends.checkout.loading import load_script_side
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.errors import ModelError


def main(checkout: Path, folder: Path) -> dict[str, Any]:
    """Return what was found."""

    def load(api: str, export: Path, **options: Any) -> Any:
        return load_script_side(api, model_dir=export, paddleocr_root=checkout, options=options)

    trained = load_training(
        config=EXAMPLE / "configs" / "tiny_db.yml",
        checkpoint=EXAMPLE / "checkpoints" / "tiny_db",
        network="tiny_db.network:build",
        network_folder=EXAMPLE,
        paddleocr_root=checkout,
    )

    def causes(side: Any) -> list[str]:
        page = EXAMPLE / "images" / "tiny_text.png"
        found = diagnose(reference=trained.trace(page), candidate=side.trace(page))
        return [f"{each.cause}: {each.fix.text if each.fix else ''}" for each in found]

    right: dict[str, Any] = {"det_limit_side_len": 736, "det_limit_type": "min"}
    export = EXAMPLE / "inference"
    found: dict[str, Any] = {"right": causes(load("predict_det", export, **right))}
    found["defaults"] = causes(load("predict_det", export))
    found["engines"] = [
        load("predict_det", export, **options).parameters["probability_map"]["engine"]
        for options in ({}, {"enable_mkldnn": False})
    ]
    other = Path(shutil.copytree(export, folder / "other"))
    document = yaml.safe_load((other / "inference.yml").read_text())
    document["Global"]["model_name"] = "PP-OCRv4_mobile_det"
    (other / "inference.yml").write_text(yaml.safe_dump(document))
    try:
        load("predict_det", other, **right)
    except ModelError as error:
        found["refused"] = str(error)
    del document["Global"]["model_name"]
    (other / "inference.yml").write_text(yaml.safe_dump(document))
    found["without_name"] = causes(load("predict_det", other, **right))
    reader = Path(shutil.copytree(EXAMPLE / "inference_rec", folder / "reader"))
    before = fingerprint_export_files(find_export_files(reader))
    side = load("predict_rec", reader, rec_image_shape="3,32,160", use_space_char=True)
    line = next(path for path in sorted((EXAMPLE / "lines").iterdir()) if path.stem == "price")
    found["read"] = side.trace(line).recognition.text
    found["varied"] = side.varied({"resize": {"image_shape": [3, 32, 200]}}).parameters["resize"]["image_shape"]
    found["untouched"] = before == fingerprint_export_files(find_export_files(reader))
    found["files"] = sorted(path.name for path in reader.iterdir())
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
