"""Two projects that share a folder of baselines, and one that has moved."""

from __future__ import annotations

import numpy as np
import pytest
from projects import CONFTEST, EIGHT_LINES, PRUNE, run
from toy import BLANK


@pytest.fixture
def two(pytester: pytest.Pytester) -> pytest.Pytester:
    """Projects one and two that share a folder of baselines. Their images have other names."""
    pytester.makeini("[pytest]\n")
    for name in ("one", "two"):
        folder = pytester.mkdir(name)
        (folder / "images").mkdir()
        np.save(folder / "images" / f"{name}.npy", BLANK + 1)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / f"test_{name}.py").write_text(EIGHT_LINES)
        settings = 'images = ["images/*.npy"]\nallow_empty = true\ngolden.dir = "../shared"\n'
        (folder / "ocrparity.toml").write_text(settings)
    return pytester


def shared(project: pytest.Pytester) -> list[str]:
    return sorted(path.name for path in (project.path / "shared").rglob("*.npz"))


def test_the_other_project_prunes_nothing_of_the_first(two: pytest.Pytester) -> None:
    for name in ("one", "two"):
        run(two, name, "--ocr-golden").assert_outcomes(passed=2)
    for name, other in (("one", "two"), ("two", "one")):
        assert "unused" not in run(two, name).stdout.str()
        result = run(two, name, PRUNE)
        result.stdout.fnmatch_lines([f"kept, as they were recorded under ../{other}/ocrparity.toml: *{other}.npy.npz"])
    assert shared(two) == ["one.npy.npz", "two.npy.npz"]
    (two.path / "one" / "images" / "one.npy").rename(two.path / "one" / "images" / "new.npy")
    run(two, "one", "--ocr-golden")
    run(two, "one", PRUNE).stdout.fnmatch_lines(["removed unused baselines: images/one.npy.npz"])
    assert shared(two) == ["new.npy.npz", "two.npy.npz"]


@pytest.mark.parametrize("mode", [(), ("--ocr-golden",), ("--ocr-golden", "--ocr-golden-mode=all")], ids=str)
def test_a_baseline_of_the_other_project_is_refused(two: pytest.Pytester, mode: tuple[str, ...]) -> None:
    (two.path / "two" / "images" / "two.npy").rename(two.path / "two" / "images" / "one.npy")
    run(two, "one", "--ocr-golden").assert_outcomes(passed=2)
    before = (two.path / "shared" / "images" / "one.npy.npz").read_bytes()
    result = run(two, "two", *mode)
    result.assert_outcomes(passed=1, failed=2 if mode else 1)  # a run that records has recorded nothing
    result.stdout.fnmatch_lines(
        [
            f"*GoldenError: two/images/one.npy: this baseline in {two.path}/shared was recorded under "
            f"{two.path}/one/ocrparity.toml, and the settings of this run are {two.path}/two/ocrparity.toml: "
            "two projects share the folder. Give each its own golden.dir, then run: pytest --ocr-golden"
        ]
    )
    assert (two.path / "shared" / "images" / "one.npy.npz").read_bytes() == before
    run(two, "one").assert_outcomes(passed=2)


def test_a_project_that_has_moved_finds_its_baselines(two: pytest.Pytester) -> None:
    run(two, "one", "--ocr-golden").assert_outcomes(passed=2)
    (two.path / "one").rename(two.path / "moved")
    run(two, "moved").assert_outcomes(passed=2)


def test_no_path_of_this_machine_is_in_a_baseline(two: pytest.Pytester) -> None:
    run(two, "one", "--ocr-golden")
    (file,) = (two.path / "shared").rglob("*.npz")
    assert str(two.path).encode() not in file.read_bytes()
    assert b'"../one/ocrparity.toml"' in file.read_bytes()
    assert b'"one/conftest.py"' not in file.read_bytes()
    assert b'"conftest.py"' in file.read_bytes()
