"""The numbers behind the presets, measured again on the example: what right and reduced exports differ by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.compare.sensitivity import map_sensitivity
from real.blob import LIMITS, operators_root
from real.test_example import EXAMPLE, change, run

PAGES = ("blank", "curved", "dense", "odd_size", "rotated", "tiny_text")
"""Of the example's pages those with few pixels, and half of all boxes."""
Weights = npt.NDArray[np.float32]


def half(weights: Weights) -> Weights:
    """Round to fp16."""
    return weights.astype(np.float16).astype(np.float32)


def eight_bits(weights: Weights) -> Weights:
    """Round to 255 steps per output channel."""
    step = np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), 1e-12) / 127
    return np.asarray(np.round(weights / step) * step, np.float32)


def reduced_export(folder: Path, reduce: Callable[[Weights], Weights]) -> Path:
    """Export the example's checkpoint with its convolution weights reduced, batch norm left alone."""
    with isolated():
        import paddle

        from example_project.export import export

        state = paddle.load(str(EXAMPLE / "checkpoints" / "tiny_db.pdparams"))
        changed = {key: paddle.to_tensor(reduce(v.numpy())) if v.ndim == 4 else v for key, v in state.items()}
        paddle.save(changed, str(folder / "reduced.pdparams"))
        export(folder / "reduced", folder / "export")
    return folder / "export"


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return load_training(
        config=EXAMPLE / "configs" / "tiny_db.yml",
        checkpoint=EXAMPLE / "checkpoints" / "tiny_db",
        paddleocr_root=operators_root(),
        network="tiny_db.network:build",
        network_folder=EXAMPLE,
    )


def test_a_right_export_stays_within_the_measured_bounds(trained: TrainingPipeline) -> None:
    exported = load_inference(model_dir=EXAMPLE / "inference", options={**LIMITS, "enable_mkldnn": False})
    for image in (path for path in sorted((EXAMPLE / "images").iterdir()) if path.stem in PAGES):
        one, two = trained.trace(image), exported.trace(image)
        assert one.tensor is not None
        assert two.tensor is not None
        assert one.probability_map is not None
        assert two.probability_map is not None
        assert np.max(np.abs(one.tensor - two.tensor)) <= 7.3e-7, image.name
        floor = map_sensitivity(one)
        assert floor is not None
        assert np.max(np.abs(one.probability_map - two.probability_map)) <= 4 * floor, image.name


@pytest.fixture
def example(pytester: pytest.Pytester, trained: TrainingPipeline, inference: Any) -> pytest.Pytester:
    text = (EXAMPLE / "pyproject.toml").read_text().replace('report = { dir = "report" }\n', "")
    (pytester.path / "pyproject.toml").write_text(text)
    for name in ("configs", "checkpoints", "images", "tiny_db", "tests", "inference"):
        (pytester.path / name).symlink_to(EXAMPLE / name)
    change(pytester, "pyproject.toml", "../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    return pytester


@pytest.mark.parametrize(("preset", "reduce"), [("fp16", half), ("int8", eight_bits)])
def test_a_reduced_export_passes_under_its_preset_alone(
    example: pytest.Pytester, preset: str, reduce: Callable[[Weights], Weights]
) -> None:
    export = reduced_export(example.path, reduce)
    args = ("-k", f"training and ({' or '.join(PAGES)})", f"--ocr-inference-dir={export}")
    result = run(example, *args, f"--ocr-tolerance={preset}")
    assert result.ret == 0, result.stdout.str()
    strict = run(example, *args, "--ocr-images=images/curved.png")
    assert strict.ret == 1
    assert "first difference at probability_map" in strict.stdout.str()


def test_a_ruined_export_fails_under_every_preset(example: pytest.Pytester) -> None:
    export = reduced_export(example.path, lambda weights: np.asarray(weights * 0.7, np.float32))
    for preset in ("fp16", "int8"):
        few = [f"--ocr-images=images/{name}" for name in ("curved.png", "dense.png")]
        args = ("-k", "training", f"--ocr-inference-dir={export}", f"--ocr-tolerance={preset}")
        result = run(example, *args, *few)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["over the run *of the boxes have no partner*"])
