"""Export a model of the example: `python -m example_project.export`, with `--config` for the recogniser.

Does what PaddleOCR's tools/export_model.py does: evaluation mode, free batch and width, for a detector free height too,
and an inference.yml that holds the Eval transforms and the PostProcess of the training yml as they are; for a
recogniser the post-process gets the characters, as a list. Written by
paddlepaddle 3.2.2: a program of 3.3 does not load in 3.2. `--legacy` writes a .pdmodel, which 3.1.1 can and 3.2 can't.
`--half` rounds convolution weights to fp16 and leaves batch norm alone, whose variances fp16 may not hold.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paddle
import yaml

from example_project.tiny_db.network import build as build_detector
from example_project.tiny_rec.characters import architecture, dictionary
from example_project.tiny_rec.network import build as build_recogniser

FOLDER = Path(__file__).parent
DETECTOR = FOLDER / "configs" / "tiny_db.yml"


def export(
    checkpoint: Path, output: Path, *, config: Path = DETECTOR, legacy: bool = False, half: bool = False
) -> None:
    """Write an export folder in place of `output`, whole or not at all."""
    yml = yaml.safe_load(config.read_text())
    network = untrained(yml)
    state = paddle.load(str(checkpoint.with_suffix(".pdparams")))
    if half:
        state = {
            key: value.astype("float16").astype("float32") if value.ndim == 4 else value for key, value in state.items()
        }
    missing, unexpected = network.set_state_dict(state)
    if missing or unexpected:
        raise SystemExit(f"{checkpoint} is of another network: missing {missing}, unexpected {unexpected}")
    network.eval()
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        target = Path(scratch) / output.name
        target.mkdir()
        (target / "inference.yml").write_text(yaml.safe_dump(inference_yml(yml), sort_keys=False))
        save(network, str(target / "inference"), input_shape(yml), legacy=legacy)
        shutil.rmtree(output, ignore_errors=True)
        target.rename(output)
    print(f"{output}: {', '.join(sorted(file.name for file in output.iterdir()))}")


def is_recogniser(yml: Mapping[str, Any]) -> bool:
    """Whether the training yml is of the recogniser."""
    return bool(yml["Architecture"]["model_type"] == "rec")


def untrained(yml: Mapping[str, Any]) -> paddle.nn.Layer:
    """Return the network of a training yml."""
    if is_recogniser(yml):
        return build_recogniser(architecture(yml))
    return build_detector(yml["Architecture"])


def input_shape(yml: Mapping[str, Any]) -> list[int | None]:
    """Return the shape that the program takes, -1 where any will do. PaddleOCR's tools fix a recogniser's height."""
    return [None, 3, 32 if is_recogniser(yml) else -1, -1]


def inference_yml(yml: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the deployment is told of the training yml."""
    characters = {"character_dict": dictionary(yml)} if is_recogniser(yml) else {}
    return {
        "Global": {"model_name": yml["Global"]["model_name"]},
        "PreProcess": {"transform_ops": yml["Eval"]["dataset"]["transforms"]},
        "PostProcess": {**yml["PostProcess"], **characters},
    }


def save(network: paddle.nn.Layer, prefix: str, shape: list[int | None], *, legacy: bool) -> None:
    """Trace the network and write its program and parameters."""
    spec = [paddle.static.InputSpec(shape, "float32")]
    if legacy:
        with paddle.pir_utils.OldIrGuard():
            paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), prefix)
            forget_call_stacks(Path(f"{prefix}.pdmodel"))
        Path(f"{prefix}.pdiparams.info").unlink()  # only for training on
    else:
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), prefix)


def forget_call_stacks(path: Path) -> None:
    """Remove from a .pdmodel where its operators were made: paths of this machine, which nothing reads."""
    program = paddle.static.Program.parse_from_string(path.read_bytes())
    for block in program.blocks:
        for op in block.ops:
            if op.has_attr("op_callstack"):
                op._remove_attr("op_callstack")
    path.write_bytes(program.desc.serialize_to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=DETECTOR, help="a training yml")
    parser.add_argument("--checkpoint", type=Path, help="default: the yml's pretrained_model")
    parser.add_argument("--output", type=Path, help="default: the yml's save_inference_dir")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--half", action="store_true")
    arguments = parser.parse_args()
    told = yaml.safe_load(arguments.config.read_text())["Global"]
    export(
        arguments.checkpoint or FOLDER / told["pretrained_model"],
        (arguments.output or FOLDER / told["save_inference_dir"]).resolve(),
        config=arguments.config,
        legacy=arguments.legacy,
        half=arguments.half,
    )
