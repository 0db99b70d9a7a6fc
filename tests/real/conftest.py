"""Real PaddleOCR operators, a real export, real paddleocr: one process imports paddle once for all these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from freeing import models_are_freed  # noqa: F401

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference, load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from real import lines
from real.blob import HERE, LIMITS, YML, Model, export_yml, write_yml


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The blob network: yml, checkpoint and export."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "inference").mkdir()
    with isolated():
        import paddle

        from real.blob_net import BlobNet

        network = BlobNet()
        paddle.save(network.state_dict(), str(folder / "best.pdparams"))
        network.eval()
        spec = [paddle.static.InputSpec([None, 3, None, None], "float32")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(folder / "inference" / "inference"))
    write_yml(folder / "inference" / "inference.yml", export_yml(YML))
    return Model(write_yml(folder / "blob.yml", YML), folder / "best.pdparams", folder / "inference")


@pytest.fixture(scope="session")
def train(model: Model) -> TrainingPipeline:
    """The train side."""
    return load_training(**model.train)


@pytest.fixture(scope="session")
def inference(model: Model) -> InferencePipeline:
    """The inference side with the train side's limits."""
    return load_inference(model_dir=model.export, options=LIMITS)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> lines.Reader:
    """The line network: yml, dictionary, checkpoint and export."""
    return lines.write_reader(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="session")
def trained_reader(reader: lines.Reader) -> TrainedRecogniser:
    """Its train side."""
    return TrainedRecogniser.load(**reader.train)


@pytest.fixture(scope="session")
def deployed_reader(reader: lines.Reader) -> DeployedRecogniser:
    """Its deployed side."""
    side = load_paddlex_pipeline(model_dir=reader.export)
    assert isinstance(side, DeployedRecogniser)
    return side


@pytest.fixture(scope="session")
def page() -> npt.NDArray[np.uint8]:
    """A page with dark words, two of them coloured, one rotated; (300, 420, 3) uint8 BGR."""
    image = np.full((300, 420, 3), 235, dtype=np.uint8)
    for top, left, width, colour in (
        (20, 30, 120, (20, 20, 20)),
        (20, 200, 150, (120, 10, 10)),
        (80, 40, 300, (10, 10, 90)),
        (140, 60, 60, (30, 30, 30)),
        (200, 250, 100, (0, 40, 0)),
    ):
        image[top : top + 22, left : left + width] = colour
    for step in range(60):
        image[215 + step // 2 : 240 + step // 2, 60 + step * 2 : 62 + step * 2] = 15
    return image


@pytest.fixture
def blob_project(pytester: pytest.Pytester, model: Model) -> Callable[..., pytest.Pytester]:
    """Make a user's project with the blob model on both sides and a page of each of the given names."""
    import cv2

    def make(*names: str) -> pytest.Pytester:
        train = {**model.train, "network_folder": None}
        lines = ["[tool.ocrparity]", 'images = ["images/*.png"]', "[tool.ocrparity.train]"]
        lines += [f'{key} = "{value}"' for key, value in train.items() if value is not None]
        lines += ["[tool.ocrparity.inference]", f'model_dir = "{model.export}"']
        lines += ['options = { limit_side_len = 736, limit_type = "min" }']
        pytester.makepyprojecttoml("\n".join(lines))
        pytester.makepyfile(blob_net=(HERE / "blob_net.py").read_text())
        folder = pytester.mkdir("images")
        for index, name in enumerate(names):
            page = np.full((96, 128, 3), 235, np.uint8)
            page[20:40, 10 : 60 + 10 * index] = 20
            cv2.imwrite(str(folder / f"{name}.png"), page)
        return pytester

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an array with cv2 and return the path."""
    import cv2

    def write(name: str, image: npt.NDArray[Any]) -> Path:
        done, data = cv2.imencode(Path(name).suffix, image)
        assert done
        path = tmp_path / name
        path.write_bytes(bytes(data))
        return path

    return write
