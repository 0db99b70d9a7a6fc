"""The tutorial, as its reader types it: every command runs, and every output shown is what it prints."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import EXAMPLE, ROOT

from pytest_ocrparity.backends.isolation import isolated
from real.blob import operators_root

PAGE = (ROOT / "docs" / "tutorial" / "index.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(pytester: pytest.Pytester, train: Any, inference: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of the example project below the working directory; the frameworks are loaded already."""
    shutil.copytree(EXAMPLE, pytester.path / "example_project")
    monkeypatch.setenv("COLUMNS", "300")
    return pytester


def export(folder: Path) -> None:
    """Run the export as it is printed, in a process: it writes beside its own file."""
    (folder / "inference").rename(folder / "exported_before")
    command = [sys.executable, "-m", "example_project.export"]
    subprocess.run(command, cwd=folder.parent, check=True, capture_output=True)


def printed(result: pytest.RunResult) -> list[str]:
    """Return the lines of a run, without what pytest puts before those of an exception."""
    lines = [re.sub(r"^E  +(pytest_ocrparity\.DifferenceError: )?", "", line) for line in result.outlines]
    return [without_rounding(line) for line in lines]


def without_rounding(line: str) -> str:
    """Return a line without its smallest numbers, which another version of Paddle makes other ones."""
    return re.sub(r"\d\.\de[-+]\d\d", "0", line).strip()


def test_every_step_does_what_the_page_shows(checkout: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, commands = list[str](), 0
    for language, text in BLOCKS:
        if language == "console":
            for command in text.removeprefix("$ ").split("\n$ "):
                commands += 1
                words = shlex.split(command.replace("\\\n", ""))
                if words[0] == "cd":
                    monkeypatch.chdir(words[1])
                elif words == ["python", "-m", "example_project.export"]:
                    export(Path("example_project"))
                else:
                    assert words[0] == "pytest"
                    result = checkout.runpytest_inprocess("-p", "no:xdist", *words[1:])
                    lines = printed(result)
        elif language == "toml":
            file = Path("first.toml")
            text = text.replace("../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
            before = "" if text.startswith("# first.toml\n") else file.read_text().partition("[inference]")[0]
            file.write_text(before + text)
        elif language == "python":
            assert text.strip() in Path("tests/test_export.py").read_text()
        elif language == "text":
            shown = [without_rounding(line) for line in text.splitlines()]
            assert [line for line in shown if line not in lines] == []
    assert commands == PAGE.count("\n$ ") > 6


@pytest.mark.filterwarnings("ignore")  # paddle's own, of batch norm in training and of the export
def test_the_training_writes_what_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: Any) -> None:
    """A few of its thousand steps: both checkpoints are written, and the export takes one."""
    from example_project import train as training
    from example_project.export import export as write_export

    for name in ("checkpoints", "configs"):
        (tmp_path / name).mkdir()
    config = Path(shutil.copy(EXAMPLE / "configs" / "tiny_db.yml", tmp_path / "configs"))
    monkeypatch.setattr(training, "FOLDER", tmp_path)
    training.train(config, steps=5, batch=1)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        "tiny_db.pdparams",
        "tiny_db_early.pdparams",
    }
    write_export(tmp_path / "checkpoints" / "tiny_db", tmp_path / "inference")
    assert {path.name for path in (tmp_path / "inference").iterdir()} >= {"inference.pdiparams", "inference.yml"}
    with pytest.raises(SystemExit, match="is of another network"):
        write_export(EXAMPLE / "checkpoints" / "tiny_rec", tmp_path / "other")


@pytest.mark.filterwarnings("ignore")  # as above
def test_the_training_masks_the_same_channels_from_two_thirds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: Any
) -> None:
    from example_project import train as training

    (tmp_path / "checkpoints").mkdir()
    monkeypatch.setattr(training, "FOLDER", tmp_path)
    training.train(EXAMPLE / "configs" / "tiny_mobile.yml", steps=4, prune=0.3, batch=1)
    with isolated():
        import paddle

        scale = paddle.load(str(tmp_path / "checkpoints" / "tiny_mobile.pdparams"))["stages.2.0.4.weight"].numpy()
    assert 0.2 < float((scale == 0).mean()) < 0.4
