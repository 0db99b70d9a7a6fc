"""The projects that several files of whole runs begin with."""

from __future__ import annotations

import numpy as np
import pytest
from paths import TESTS
from projects import run
from pruning import CROP, RECORDED, goldens
from reader_projects import THREE_LINES, write
from toy import BLANK
from toy_reader import LINE, line


@pytest.fixture
def alone(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose own fixtures make recognisers."""
    pytester.makefile(".toml", pyproject='[tool.ocrparity]\nimages = ["lines/*.npy"]\n')
    pytester.makeconftest(
        f"""
import sys
import pytest
sys.path.insert(0, {str(TESTS)!r})
from toy_reader import Reader

@pytest.fixture(scope="session")
def ocr_train_model():
    return Reader()

@pytest.fixture(scope="session")
def ocr_inference_model():
    return Reader(name="inference")
"""
    )
    pytester.makepyfile(test_export=THREE_LINES)
    write(pytester.path / "lines", {"a.npy": LINE, "b.npy": line("dab")})
    return pytester


@pytest.fixture
def pruned(project: pytest.Pytester) -> pytest.Pytester:
    """The project with baselines of its images, of an array that one test asks for, and of an image that is gone.

    They are recorded once: no path of their project is in them.
    """
    project.makepyfile(test_crop=CROP)
    folder = project.mkdir("goldens")
    if not RECORDED:
        np.save(project.path / "images" / "gone.npy", BLANK)
        run(project, "--ocr-golden").assert_outcomes(passed=7)
        (project.path / "images" / "gone.npy").unlink()
        RECORDED.update({name: (folder / name).read_bytes() for name in goldens(project)})
    (folder / "images").mkdir(exist_ok=True)
    for name, data in RECORDED.items():
        (folder / name).write_bytes(data)
    assert len(goldens(project)) == 4
    return project
