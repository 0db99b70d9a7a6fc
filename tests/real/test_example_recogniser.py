"""The example's recogniser: the committed files belong together, and paddleocr 3.x runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from paths import EXAMPLE

from pytest_ocrparity.backends.isolation import isolated
from real.features import runner_attribute

CONFIG: dict[str, Any] = yaml.safe_load((EXAMPLE / "configs" / "tiny_rec.yml").read_text())
EXPORT = EXAMPLE / "inference_rec"
LINES = EXAMPLE / "lines"
LABELS = dict(line.split("\t") for line in (LINES / "Label.txt").read_text(encoding="utf-8").splitlines())
ROUNDING = 1e-5
"""Measured: at most 4.2e-7 between the checkpoint's network and the exported program, oneDNN off, on the 24 lines."""

Probabilities = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def network() -> Any:
    """The committed checkpoint's network."""
    with isolated():
        import paddle

        from example_project.tiny_rec.characters import architecture
        from example_project.tiny_rec.network import build

        built = build(architecture(CONFIG))
        assert built.set_state_dict(paddle.load(str(EXAMPLE / "checkpoints" / "tiny_rec.pdparams"))) == ([], [])
        built.eval()
        return built


class Deployed:
    """`paddleocr.TextRecognition` on the committed export, which keeps what its network took and gave."""

    def __init__(self) -> None:
        from paddleocr import TextRecognition

        self.api = TextRecognition(
            model_name=CONFIG["Global"]["model_name"], model_dir=str(EXPORT), device="cpu", enable_mkldnn=False
        )
        predictor = self.api.paddlex_predictor
        self.characters: list[str] = predictor.post_op.character
        place = runner_attribute(predictor)
        self._runner = getattr(predictor, place)
        setattr(predictor, place, self._run)

    def _run(self, x: list[Any]) -> list[Any]:
        (self.tensor,) = x
        probabilities = self._runner(x=x)
        self.probabilities: Probabilities = np.array(probabilities[0])
        return list(probabilities)

    def read(self, path: Path) -> str:
        (result,) = self.api.predict(str(path), batch_size=1)
        return str(result["rec_text"])


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with isolated():
        yield Deployed()


def probabilities(network: Any, tensor: Any) -> Probabilities:
    with isolated():
        import paddle

        with paddle.no_grad():
            return np.asarray(network(paddle.to_tensor(tensor)).numpy(), np.float32)


def test_the_export_is_of_the_committed_checkpoint(network: Any, deployed: Deployed) -> None:
    assert deployed.read(LINES / "price.png") == LABELS["price.png"]
    assert np.abs(probabilities(network, deployed.tensor) - deployed.probabilities).max() < ROUNDING


def test_only_the_wide_lines_read_otherwise_under_the_default_width_rule(network: Any, deployed: Deployed) -> None:
    """PaddleOCR's evaluation squeezes a line into image_shape unless the yml says `eval_mode: true`."""
    with isolated():
        from example_project.train_rec import WIDTH, read

    deployed_texts = {name: deployed.read(LINES / name) for name in LABELS}
    assert sum(deployed_texts[name] == LABELS[name] for name in LABELS) >= 22
    with isolated():
        squeezed = {name: read(network, cv2.imread(str(LINES / name)), WIDTH) for name in LABELS}
    assert [name for name in LABELS if squeezed[name] != deployed_texts[name]] == [
        name for name in LABELS if name.startswith("wide_")
    ]


def test_other_weights_are_told_apart(network: Any, deployed: Deployed) -> None:
    deployed.read(LINES / "price.png")
    bias = network.classify.bias
    with isolated():
        kept = bias.numpy().copy()
        bias.set_value(kept + np.arange(len(kept), dtype=np.float32) * 1e-3)
    try:
        moved = np.abs(probabilities(network, deployed.tensor) - deployed.probabilities).max()
    finally:
        bias.set_value(kept)
    assert moved > ROUNDING


def test_the_dictionary_fits_the_classes_on_both_sides(network: Any, deployed: Deployed) -> None:
    with isolated():
        from example_project.tiny_rec.characters import classes, dictionary

    written = yaml.safe_load((EXPORT / "inference.yml").read_text())
    assert written["PostProcess"]["character_dict"] == dictionary(CONFIG)
    assert deployed.characters == ["blank", *dictionary(CONFIG), " "]
    assert network.classify.weight.shape[1] == len(classes(CONFIG)) == len(deployed.characters)
    assert len(set(classes(CONFIG))) == len(classes(CONFIG))
    assert set("".join(LABELS.values())) <= set(classes(CONFIG))


def test_the_export_tells_what_the_training_yml_says() -> None:
    with isolated():
        from example_project.export import inference_yml

    assert yaml.safe_load((EXPORT / "inference.yml").read_text()) == inference_yml(CONFIG)


def test_the_committed_lines_are_the_drawn_ones(tmp_path: Path) -> None:
    with isolated():
        from example_project.draw_lines import main

    main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in LINES.iterdir())
    assert (tmp_path / "Label.txt").read_bytes() == (LINES / "Label.txt").read_bytes()
    for name in LABELS:
        assert unlike(LINES / name, tmp_path / name) < 0.01, name


def test_another_line_is_not_the_drawn_one() -> None:
    least = min(unlike(LINES / one, LINES / two) for one in LABELS for two in LABELS if one < two)
    assert least > 0.01


def unlike(one: Path, two: Path) -> float:
    """Return the mean difference of two pictures as a share of full scale, 1 where their shapes or types differ."""
    first, second = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (one, two))
    if first.shape != second.shape or first.dtype != second.dtype:
        return 1.0
    return float(np.abs(first.astype(float) - second).mean() / np.iinfo(first.dtype).max)


def test_the_lines_are_what_a_recognisers_gate_needs() -> None:
    """Twenty texts or more, one of them empty, and three lines or more that PaddleOCR's default width squeezes."""
    assert len(LABELS) == 24
    assert len(set(LABELS.values())) == 24
    assert "" in LABELS.values()
    (resize,) = (op["RecResizeImg"] for op in CONFIG["Eval"]["dataset"]["transforms"] if "RecResizeImg" in op)
    _, height, width = resize["image_shape"]
    shapes = [cv2.imread(str(LINES / name)).shape for name in LABELS]
    assert sum(shape[1] / shape[0] > width / height for shape in shapes) >= 3
    assert sum(path.stat().st_size for path in LINES.iterdir()) < 100_000
