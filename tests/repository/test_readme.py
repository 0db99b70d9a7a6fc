"""What README and documentation show is run: settings load, tests pass, options exist, links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT
from projects import CONFTEST, PAGES_CONFTEST

from pytest_ocrparity import Trace
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.settings.settings_table import OPTIONS

PAGES = {
    name.relative_to(ROOT).as_posix(): name.read_text()
    for name in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted(ROOT.glob("docs/**/*.md")),
    )
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language: str, under: str = "") -> list[Any]:
    """Return the blocks of the pages below a folder, each named by its page."""
    return [
        pytest.param(text, id=f"{name}-{number}")
        for name, page in PAGES.items()
        if name.startswith(under)
        for number, (found, text) in enumerate(BLOCK.findall(page))
        if found == language
    ]


def codes(language: str, under: str = "") -> list[str]:
    return [block.values[0] for block in blocks(language, under)]


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_settings_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("pyproject.toml" if "[tool.ocrparity" in text else "ocrparity.toml")
    path.write_text(text)
    assert load_settings(path, {}, tmp_path).is_set


def test_a_key_that_is_none_would_not_load(tmp_path: Path) -> None:
    for text in codes("toml"):
        path = tmp_path / ("pyproject.toml" if "[tool.ocrparity" in text else "ocrparity.toml")
        path.write_text(f"{text}\nno_such_key = 1\n")
        with pytest.raises(Exception, match="no_such_key"):
            load_settings(path, {}, tmp_path)


def test_the_readme_sets_what_its_message_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    (text,) = codes("toml", "README.md")
    path.write_text(text)
    options = load_settings(path, {}, tmp_path).candidates["inference"].values["options"]
    assert options == {"limit_side_len": 736, "limit_type": "min"}


def test_the_settings_of_labels_load(tmp_path: Path) -> None:
    texts = codes("toml", "docs/howto/accuracy_gate.md")
    assert len(texts) == 3
    path = tmp_path / "pyproject.toml"
    for text in texts:
        path.write_text(text)
        settings = load_settings(path, {}, tmp_path)
        assert settings.labels is not None
    limits = [each.tolerance["accuracy.max_drop"].origin for each in settings.candidates.values()]
    assert limits == ["fp32 preset, built-in", f"{path}: candidates.int8"]


@pytest.mark.parametrize("code", blocks("python"))
def test_the_code_compiles(code: str) -> None:
    compile(code, "a block of the documentation", "exec")


TESTS = [block for block in blocks("python") if "import" in block.values[0] and "ocr_image)" in block.values[0]]


@pytest.mark.parametrize("code", [block for block in TESTS if "ocr_task" not in block.values[0]])
def test_the_tests_pass(project: pytest.Pytester, code: str) -> None:
    project.makepyfile(test_export=code)
    if "ocr_train_page" in code:
        project.makeconftest(PAGES_CONFTEST)
    project.runpytest("-p", "no:xdist", "--ocr-golden", "-k", "baseline")
    result = project.runpytest("-p", "no:xdist")
    assert result.parseoutcomes()["passed"] == 2 * code.count("def test_")
    assert (result.ret == 0) is ("assert_same" in code)  # a test that only shows its signature compares nothing


DETECTOR = """
import numpy as np
from toy import Toy

def my_detector(image):
    found = Toy(**WRONG).trace(image).detections
    return found.polygons, found.scores

"""


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_an_own_engine_is_a_valid_candidate(project: pytest.Pytester, wrong: bool) -> None:
    (code,) = (code for code in codes("python", "docs/howto/own_engine.md") if "Engine:" in code)
    detector = DETECTOR.replace("WRONG", repr({"pad": 6} if wrong else {}))
    project.makeconftest(CONFTEST.partition("@pytest")[0] + detector + code)
    project.makepyfile(
        test_export="""
        from toy import Toy
        from pytest_ocrparity import assert_same_detections

        def test_engine(ocr_inference_model, ocr_image):
            assert_same_detections(Toy().trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    project.runpytest("-p", "no:xdist").assert_outcomes(**{"failed" if wrong else "passed": 2})


def test_what_predict_det_wrote_is_split(tmp_path: Path) -> None:
    (code,) = codes("python", "docs/howto/predict_det.md")
    boxes = [[[10, 10], [90, 10], [90, 30], [10, 30]]]
    written = tmp_path / "det_results.txt"
    written.write_text(f"a.page.png\t{json.dumps(boxes)}\nempty.jpg\t[]\n")
    names: dict[str, Any] = {}
    exec(code, names)
    names["split"](written)
    assert {path.name for path in tmp_path.glob("*.json")} == {"a.page.json", "empty.json"}
    found = Trace.from_result((tmp_path / "a.page.json").read_bytes(), image="a.page.png", pipeline="p").detections
    assert found is not None and [polygon.tolist() for polygon in found.polygons] == boxes


def test_the_code_for_plain_polygons_runs() -> None:
    (code,) = (code for code in codes("python") if "box = " in code)
    exec(code, {})


def test_every_named_option_exists() -> None:
    named = set(re.findall(r"--ocr-[a-z-]*[a-z]", "\n".join(PAGES.values())))
    assert named == {row.option for row in OPTIONS.values()}


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", BLOCK.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", BLOCK.sub("", PAGES[name])):
        path, _, anchor = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.exists(), f"{name} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{name} links to {link}"


def test_every_page_of_a_folder_is_in_its_index() -> None:
    for name in PAGES:
        folder, _, page = name.removeprefix("docs/").rpartition("/")
        if name.startswith("docs/") and folder and page != "index.md":
            assert f"]({page}" in PAGES[f"docs/{folder}/index.md"], f"{folder}/index.md does not name {page}"


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", "\n".join(PAGES.values())):
        assert f"\n{target}:" in makefile
