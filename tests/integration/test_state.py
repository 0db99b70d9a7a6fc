"""A port whose result depends on what ran before fails in a run and passes alone: the cause says why."""

from __future__ import annotations

import numpy as np
import pytest
from projects import run
from toy import page

GROWS = """

class Grows(Toy):
    size = (0, 0)

    def infer(self, tensor):
        height, width = tensor.shape[2:]
        self.size = max(self.size[0], height), max(self.size[1], width)
        made = super().infer(tensor)
        if self.size != (height, width):
            made[..., -12:, :] *= 0.5
        return made

    def fresh(self):
        return Grows(name=self.name)


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Grows(name="inference")
"""


@pytest.fixture
def growing(project: pytest.Pytester) -> pytest.Pytester:
    path = project.path / "conftest.py"
    path.write_text(path.read_text() + GROWS)
    for old in (project.path / "images").iterdir():
        old.unlink()
    # The smallest file runs first, so the page that grows the buffer is small in bytes and wide in pixels.
    np.save(project.path / "images" / "a.npy", page(40, 112, ((8, 8, 40, 20),)))
    np.save(project.path / "images" / "b.npy", page(64, 96, ((8, 8, 40, 20), (10, 48, 60, 60))))
    return project


def test_the_page_that_ran_before_is_named(growing: pytest.Pytester) -> None:
    result = run(growing, "-k", "training")
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "engine.state" in text
    assert (
        "newly loaded, inference returns train's result for this image, and after images/a.npy what it returned" in text
    )


def test_alone_it_passes(growing: pytest.Pytester) -> None:
    result = run(growing, "-k", "training and b.npy")
    result.assert_outcomes(passed=1)
