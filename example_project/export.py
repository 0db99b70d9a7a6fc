"""Export the example's detector: `python -m example_project.export`.

Does what PaddleOCR's tools/export_model.py does for a detector: evaluation mode, free batch, height and width, and
an inference.yml that holds the Eval transforms and the PostProcess of the training yml as they are. Written by
paddlepaddle 3.2.2: a program of 3.3 does not load in 3.2. `--legacy` writes a .pdmodel, which 3.1.1 can and 3.2 can't.
`--half` rounds convolution weights to fp16 and leaves batch norm alone, whose variances fp16 may not hold.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import paddle
import yaml

from example_project.tiny_db.network import build

FOLDER = Path(__file__).parent


def export(checkpoint: Path, output: Path, *, legacy: bool = False, half: bool = False) -> None:
    """Write an export folder in place of `output`, whole or not at all."""
    config = yaml.safe_load((FOLDER / "configs" / "tiny_db.yml").read_text())
    network = build(config["Architecture"])
    state = paddle.load(str(checkpoint.with_suffix(".pdparams")))
    if half:
        state = {
            key: value.astype("float16").astype("float32") if value.ndim == 4 else value for key, value in state.items()
        }
    missing, unexpected = network.set_state_dict(state)
    if missing or unexpected:
        raise SystemExit(f"{checkpoint} is of another network: missing {missing}, unexpected {unexpected}")
    network.eval()
    inference = {
        "Global": {"model_name": config["Global"]["model_name"]},
        "PreProcess": {"transform_ops": config["Eval"]["dataset"]["transforms"]},
        "PostProcess": config["PostProcess"],
    }
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        target = Path(scratch) / output.name
        target.mkdir()
        (target / "inference.yml").write_text(yaml.safe_dump(inference, sort_keys=False))
        save(network, str(target / "inference"), legacy=legacy)
        shutil.rmtree(output, ignore_errors=True)
        target.rename(output)
    print(f"{output}: {', '.join(sorted(file.name for file in output.iterdir()))}")


def save(network: paddle.nn.Layer, prefix: str, *, legacy: bool) -> None:
    """Trace the network and write its program and parameters."""
    spec = [paddle.static.InputSpec([None, 3, -1, -1], "float32")]
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
    parser.add_argument("--checkpoint", type=Path, default=FOLDER / "checkpoints" / "tiny_db")
    parser.add_argument("--output", type=Path, default=FOLDER / "inference")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--half", action="store_true")
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.output.resolve(), legacy=arguments.legacy, half=arguments.half)
