"""`--ocr-golden-prune` where tests are left out: by a plugin, by options, by where the run begins."""

from __future__ import annotations

import shutil

import pytest
from projects import PRUNE, run
from pruning import GONE, append, edit, goldens, kept

SHARD = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "crop" not in item.name]
"""
DESELECTING = """
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[items.pop(0)])
"""
STOPPING = """
def pytest_runtest_teardown(item, nextitem):
    item.session.shouldstop = nextitem is None
"""
IGNORING = """
def pytest_ignore_collect(collection_path):
    return collection_path.name == "test_crop.py" or None
"""


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        (SHARD, "test_crop.py::test_crop did not run"),
        (DESELECTING, "test_crop.py::test_crop did not run"),
        (STOPPING, "this run failed or was cut short"),
        (IGNORING, "test_crop.py was not collected"),
        ('\ncollect_ignore = ["test_crop.py"]\n', "test_crop.py was not collected"),
    ],
    ids=["sharded", "deselected", "stopped", "ignored", "collect_ignore"],
)
def test_a_run_that_a_plugin_shortens_prunes_nothing(pruned: pytest.Pytester, hook: str, why: str) -> None:
    append(pruned, "conftest.py", hook)
    kept(pruned, why)


def test_a_run_that_a_plugin_shortens_in_workers_prunes_nothing(pruned: pytest.Pytester) -> None:
    append(pruned, "conftest.py", SHARD)
    result = pruned.runpytest_subprocess("-n", "2", PRUNE)
    result.stdout.fnmatch_lines(["nothing was pruned: test_crop.py::test_crop did not run; *"])
    assert len(goldens(pruned)) == 4


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("-k", "baseline"), "did not run"),
        (("-m", "not mine"), "did not run"),
        (("--deselect", "test_crop.py"), "test_crop.py::test_crop did not run"),
        (("--ignore", "test_crop.py"), "test_crop.py was not collected"),
        (("--ignore-glob", "*_crop.py"), "test_crop.py was not collected"),
        (("-o", "python_files=test_export.py"), "-o overrides what the project says of its tests"),
        (("-c", "other.toml"), "-c names another configuration than the project's"),
        (("--ocr-images=images/one_word.npy",), "--ocr-images names the images of this run"),
        (("test_export.py",), "this run is of a part of the project"),
        (("test_export.py::test_export_matches_baseline",), "this run is of a part of the project"),
        (("test_export.py", "test_crop.py"), "this run is of a part of the project"),
        (("--ocr-no-train",), "test_export.py::test_export_matches_training* was skipped"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_part_of_the_suite_prunes_nothing(pruned: pytest.Pytester, args: tuple[str, ...], why: str) -> None:
    edit(pruned, "test_crop.py", "def test_crop", "@pytest.mark.mine\ndef test_crop")
    append(pruned, "pyproject.toml", '\n[tool.pytest.ini_options]\nmarkers = ["mine"]\n')
    (pruned.path / "other.toml").write_text('[pytest]\nmarkers = ["mine"]\npython_files = ["test_export.py"]\n')
    kept(pruned, why, *args)


BRINGING = """
def pytest_generate_tests(metafunc):
    if "level" in metafunc.fixturenames:
        metafunc.parametrize("level", [40, 50], indirect=True)
"""
BROUGHT = """
import numpy as np
import pytest

@pytest.fixture
def level(request):
    return getattr(request, "param", 40)

def test_level(ocr_golden, level):
    ocr_golden.trace(np.full((8, 8, 3), level, np.uint8))
"""


@pytest.fixture
def brought(pruned: pytest.Pytester) -> pytest.Pytester:
    """The project with a plugin without which one baseline less is asked for."""
    pruned.syspathinsert()
    pruned.makepyfile(bringing=BRINGING, test_level=BROUGHT)
    append(pruned, "conftest.py", '\npytest_plugins = ["bringing"]\n')
    run(pruned, "--ocr-golden").assert_outcomes(passed=7)
    assert len(goldens(pruned)) == 6
    return pruned


@pytest.mark.parametrize(
    ("args", "addopts"),
    [(("-p", "no:bringing"), ""), (("-pno:bringing",), ""), (("-p", "no:bringing"), "-p no:legacy")],
    ids=str,
)
def test_a_run_without_a_plugin_prunes_nothing(brought: pytest.Pytester, args: tuple[str, ...], addopts: str) -> None:
    append(brought, "pyproject.toml", f'\n[tool.pytest.ini_options]\naddopts = "{addopts}"\n')
    kept(brought, "-p no:bringing leaves out a plugin, which may bring tests", *args)
    run(brought, PRUNE).stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])
    assert len(goldens(brought)) == 5


def test_a_plugin_that_the_project_itself_leaves_out_is_no_matter(brought: pytest.Pytester) -> None:
    append(brought, "pyproject.toml", '\n[tool.pytest.ini_options]\naddopts = "-p no:bringing"\n')
    (told,) = [line for line in run(brought, PRUNE).outlines if line.startswith("removed unused baselines: ")]
    assert told.count(".npz") == 2


def test_a_run_without_any_plugin_of_others_prunes_nothing(
    pruned: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pruned.runpytest_subprocess("-p", "pytest_ocrparity.plugin", PRUNE)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["nothing was pruned: --disable-plugin-autoload or PYTEST_DISABLE_PLUGIN_AUTOLOAD *"])
    assert len(goldens(pruned)) == 4


def test_what_failed_last_time_proves_nothing(pruned: pytest.Pytester) -> None:
    edit(pruned, "test_export.py", "ocr_image):\n", "ocr_image):\n    assert 0\n")
    run(pruned).assert_outcomes(failed=4, passed=1)
    edit(pruned, "test_export.py", "    assert 0\n", "")
    before = goldens(pruned)
    result = run(pruned, "--lf", PRUNE)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["nothing was pruned: --lf leaves out what passed before; *"])
    assert goldens(pruned) == before


def test_tests_after_one_that_failed_prove_nothing(pruned: pytest.Pytester) -> None:
    edit(pruned, "test_export.py", "ocr_image):\n", "ocr_image):\n    assert 0\n")
    run(pruned, "--sw")
    edit(pruned, "test_export.py", "    assert 0\n", "")
    result = run(pruned, "--sw", PRUNE)
    result.assert_outcomes(passed=4, deselected=1)
    result.stdout.fnmatch_lines(["nothing was pruned: test_crop.py::test_crop did not run; *"])
    assert len(goldens(pruned)) == 4


@pytest.mark.parametrize("option", ["--collect-only", "--setup-only", "--setup-plan"])
def test_a_run_without_tests_prunes_nothing(pruned: pytest.Pytester, option: str) -> None:
    result = run(pruned, PRUNE, option)
    result.stdout.fnmatch_lines(["nothing was pruned: no test ran from setup to teardown"])
    assert len(goldens(pruned)) == 4


def test_a_run_from_a_folder_of_the_project_prunes_nothing(
    pruned: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(pruned, "pyproject.toml", "\n[tool.pytest.ini_options]\n")  # so that this is the root, whose conftest holds
    suite = pruned.mkdir("suite")
    for name in ("test_export.py", "test_crop.py"):
        (pruned.path / name).rename(suite / name)
    monkeypatch.chdir(suite)
    kept(pruned, "this run is of a part of the project")


def test_a_run_of_other_testpaths_prunes_nothing(pruned: pytest.Pytester) -> None:
    """The configuration that names them is not the project's own."""
    inner = pruned.mkdir("inner")
    for name in ("images", "goldens", "test_export.py", "test_crop.py", "pyproject.toml", "conftest.py"):
        shutil.move(pruned.path / name, inner / name)
    pruned.makeini("[pytest]\ntestpaths = inner/test_export.py\n")
    told = f"nothing was pruned: this run is of a part of the project: run it from {inner},*"
    run(pruned, PRUNE).stdout.fnmatch_lines([told])
    assert len(list((inner / "goldens").rglob("*.npz"))) == 4


def test_a_run_that_asked_for_none_prunes_nothing(pruned: pytest.Pytester) -> None:
    result = run(pruned, PRUNE, "-k", "training")
    result.stdout.fnmatch_lines(["nothing was pruned: no test asked ocr_golden for a baseline; *"])
    assert len(goldens(pruned)) == 4


def test_a_run_without_settings_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    run(pytester, PRUNE).stdout.fnmatch_lines(["nothing was pruned: there are no ocrparity settings"])
