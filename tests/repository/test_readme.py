"""What the README shows is run: its settings load, its tests pass, its options exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from paths import ROOT
from projects import CONFTEST

from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.settings.settings_table import OPTIONS
from pytest_ocrparity.tolerance import LIMITS, PRESETS

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("comparison", "diagnosis", "robustness", "performance")))
README = "\n".join((ROOT / name).read_text() for name in PAGES)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    settings = load_settings(path, {}, tmp_path)
    if settings.recognition is not None:
        assert settings.recognition.candidates["inference"].values["model_dir"] == tmp_path / "inference_rec"
        return
    options = settings.candidates["inference"].values["options"]
    assert options == {"limit_side_len": 736, "limit_type": "min"}


def test_the_settings_of_labels_load(tmp_path: Path) -> None:
    texts = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs/labels.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(texts) == 3
    path = tmp_path / "pyproject.toml"
    for text in texts:
        path.write_text(text)
        settings = load_settings(path, {}, tmp_path)
        assert settings.labels is not None
    limits = [each.tolerance["accuracy.max_drop"].origin for each in settings.candidates.values()]
    assert limits == ["fp32 preset, built-in", f"{path}: candidates.int8"]


@pytest.mark.parametrize("code", [code for code in blocks("python") if "def test_" in code and "ocr_task" not in code])
def test_the_tests_pass(project: pytest.Pytester, code: str) -> None:
    project.makepyfile(test_export=code)
    project.runpytest("-p", "no:xdist", "--ocr-golden", "-k", "baseline")
    result = project.runpytest("-p", "no:xdist")
    assert result.parseoutcomes()["passed"] == 2
    assert (result.ret == 0) is ("assert_same" in code)  # a test that only shows its signature compares nothing


def test_the_own_engine_is_a_valid_candidate(project: pytest.Pytester) -> None:
    (code,) = (code for code in blocks("python") if "class MyEngine" in code)
    detector = """
import numpy as np
from toy import Toy

def my_detector(image):
    found = Toy().trace(image).detections
    return found.polygons, found.scores
"""
    project.makeconftest(CONFTEST.partition("@pytest")[0] + detector + code)
    project.makepyfile(
        test_export="""
        from toy import Toy
        from pytest_ocrparity import assert_same_detections

        def test_engine(ocr_inference_model, ocr_image):
            assert_same_detections(Toy().trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    project.runpytest("-p", "no:xdist").assert_outcomes(passed=2)


def test_the_code_for_plain_polygons_runs() -> None:
    (code,) = (code for code in blocks("python") if "box = " in code)
    exec(code, {})


def test_every_named_option_exists() -> None:
    named = set(re.findall(r"--ocr-[a-z-]+", README))
    assert named <= {row.option for row in OPTIONS.values()}
    assert len(named) > len(OPTIONS) / 2


def test_every_limit_is_told_with_its_default() -> None:
    for name, spec in LIMITS.items():
        default = PRESETS["fp32"][name]
        word = (
            str(default).lower()
            if isinstance(default, bool)
            else default
            if isinstance(default, str)
            else f"{default:g}"
        )
        assert f"| `{name}` | {spec.help} | {word} |" in README


def test_every_link_leads_somewhere() -> None:
    for name in (
        *PAGES,
        "docs/labels.md",
        "docs/pytest.md",
        "docs/deployments.md",
        "docs/compatibility.md",
        "docs/causes.md",
        "CONTRIBUTING.md",
    ):
        text = (ROOT / name).read_text()
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert ((ROOT / name).parent / link).exists(), f"{name} links to {link}"


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", README):
        assert f"\n{target}:" in makefile
