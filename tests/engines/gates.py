"""The gate without a test file on the example's model, with an engine as its deployment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from paths import EXAMPLE
from real.blob import operators_root


def gate_on(pytester: pytest.Pytester, model: str, images: str, inference: str) -> pytest.RunResult:
    """Run it in a new process, on a copy of the example in `project`.

    Args:
        pytester: pytest's fixture.
        model: the name of the configuration and the checkpoint, "tiny_db" or "tiny_rec".
        images: the entries of `images` in the settings.
        inference: the lines of their table `inference`.
    """
    project = Path(shutil.copytree(EXAMPLE, pytester.path / "project"))
    (project / "pyproject.toml").unlink()
    (project / "ocrparity.toml").write_text(
        f"""images = [{images}]
[train]
config = "configs/{model}.yml"
checkpoint = "checkpoints/{model}"
network = "{model}.network:build"
paddleocr_root = {json.dumps(str(operators_root()))}
[inference]
{inference}"""
    )
    pytester.chdir()
    settings = f"--ocr-config={project / 'ocrparity.toml'}"
    return pytester.runpytest_subprocess("--pyargs", "pytest_ocrparity.gate", settings, "-p", "no:randomly")
