"""`--ocr-golden-prune`: baselines go, and are called unused, only where a run shows what all tests ask for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from paths import BASELINES
from projects import PRUNE, run, wrong_export
from pruning import GONE, append, edit, goldens, kept

# A whole green run


def test_it_is_reported_and_kept(pruned: pytest.Pytester) -> None:
    run(pruned).stdout.fnmatch_lines([f"unused baselines (--ocr-golden-prune removes them): {GONE}"])
    assert len(goldens(pruned)) == 4


@pytest.mark.parametrize("args", [(), ("--sw",), ("-p", "no:cacheprovider", "-v"), ("--ocr-golden",)], ids=str)
def test_prune_removes_it_and_nothing_else(pruned: pytest.Pytester, args: tuple[str, ...]) -> None:
    run(pruned, PRUNE, *args).stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])
    assert len(goldens(pruned)) == 3
    assert GONE not in goldens(pruned)
    run(pruned).assert_outcomes(passed=5)


def test_workers_prune_together(pruned: pytest.Pytester) -> None:
    pruned.runpytest_subprocess("-n", "2", PRUNE).stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])
    assert len(goldens(pruned)) == 3


def test_no_terminal_is_needed(pruned: pytest.Pytester) -> None:
    assert run(pruned, PRUNE, "-p", "no:terminal").ret == 0
    assert len(goldens(pruned)) == 3


def test_nothing_to_prune_is_said(pruned: pytest.Pytester) -> None:
    run(pruned, PRUNE)
    run(pruned, PRUNE).stdout.fnmatch_lines(["nothing was pruned: each baseline is of an image or a test"])
    assert "pruned" not in run(pruned).stdout.str()


def test_the_testpaths_of_a_project_are_all_of_it(pruned: pytest.Pytester) -> None:
    append(pruned, "pyproject.toml", '\n[tool.pytest.ini_options]\ntestpaths = ["test_export.py", "test_crop.py"]\n')
    run(pruned, PRUNE).stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])


def test_tests_that_use_none_of_ours_may_be_left_out(pruned: pytest.Pytester) -> None:
    pruned.makepyfile(
        test_other="""
        import pytest

        @pytest.mark.skip
        def test_skipped(): ...

        def test_slow(tmp_path_factory): ...

        @pytest.mark.xfail
        def test_fails(): assert 0
        """
    )
    run(pruned, PRUNE, "-k", "not slow").stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])


def test_a_test_that_passes_when_it_is_run_again_has_passed(pruned: pytest.Pytester) -> None:
    fails_once = "    CROP[0, 0, 0] += 1\n    assert CROP[0, 0, 0] > 41\n    CROP[0, 0, 0] = 40\n    assert_same_"
    edit(pruned, "test_crop.py", "    assert_same_", fails_once)
    result = run(pruned, PRUNE, "--reruns=1")
    result.stdout.fnmatch_lines(["*1 rerun*"])
    result.stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])
    assert len(goldens(pruned)) == 3


def test_one_that_cannot_be_removed_is_told(pruned: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "unlink", lambda self, *args: (_ for _ in ()).throw(PermissionError(13, "not yours")))
    result = run(pruned, PRUNE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*gone.npy.npz: cannot remove this baseline: not yours"])
    assert len(goldens(pruned)) == 4


# A test that does not run to its end, or does not pass


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("@pytest.mark.xfail(run=False)", "test_crop.py::test_crop is marked or called xfail"),
        ("@pytest.mark.xfail", "test_crop.py::test_crop is marked or called xfail"),
        ("@pytest.mark.skip", "test_crop.py::test_crop was skipped"),
        ("@pytest.mark.skipif('True', reason='-')", "test_crop.py::test_crop was skipped"),
        ("    pytest.xfail('later')", "test_crop.py::test_crop is marked or called xfail"),
        ("    pytest.skip('later')", "test_crop.py::test_crop was skipped"),
        ("    return", "test_crop.py::test_crop took ocr_golden and asked it for nothing here"),
        ("pytest.skip('later', allow_module_level=True)", "test_crop.py was skipped as a whole"),
        ("pytest.importorskip('no_such_module')", "test_crop.py was skipped as a whole"),
    ],
)
def test_a_test_that_does_not_pass_proves_nothing(pruned: pytest.Pytester, change: str, why: str) -> None:
    if change.startswith("    "):
        edit(pruned, "test_crop.py", "    assert_same_", f"{change}\n    assert_same_")
    else:
        edit(pruned, "test_crop.py", "def test_crop", f"{change}\ndef test_crop")
    kept(pruned, why)


def test_a_skip_that_no_terminal_counts(pruned: pytest.Pytester) -> None:
    edit(pruned, "test_crop.py", "def test_crop", "@pytest.mark.skip\ndef test_crop")
    assert run(pruned, PRUNE, "-p", "no:terminal").ret == 0
    assert len(goldens(pruned)) == 4


def test_a_skipped_subtest_proves_nothing(pruned: pytest.Pytester) -> None:
    pytest.importorskip("_pytest.subtests", reason="pytest 9 brings subtests")
    body = """def test_crop(ocr_golden, subtests):
    ocr_golden.trace("images/one_word.npy")
    with subtests.test():
        pytest.skip("later")
        ocr_golden.trace(CROP)

def test_no_crop("""
    edit(pruned, "test_crop.py", "def test_crop(", body)
    edit(pruned, "test_crop.py", "ocr_inference_model.trace(CROP)", "ocr_inference_model.trace(CROP)  # ")
    edit(pruned, "test_crop.py", "ocr_golden.trace(CROP), ", "ocr_golden.trace('images/one_word.npy'), ")
    edit(pruned, "test_crop.py", "ocr_inference_model.trace(CROP)", "ocr_inference_model.trace('images/one_word.npy'))")
    kept(pruned, "test_crop.py::test_crop was skipped")


@pytest.mark.parametrize("code", ["0", "2"])
@pytest.mark.parametrize("place", ["the first test", "the last test", "its teardown"])
def test_pytest_exit_proves_nothing(pruned: pytest.Pytester, code: str, place: str) -> None:
    leaves = f"pytest.exit('enough', returncode={code})"
    pruned.makepyfile(
        **{
            "test_a" if place == "the first test" else "test_z": f"""
            import pytest

            @pytest.fixture
            def leaving():
                yield
                if {place == "its teardown"}:
                    {leaves}

            def test_it(leaving, ocr_image):
                if {place != "its teardown"}:
                    {leaves}
            """
        }
    )
    result = run(pruned, PRUNE)
    result.stdout.fnmatch_lines(["*Exit: enough*"])
    compares_nothing = code == "0" and place == "the first test"
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if compares_nothing else int(code))
    result.stdout.fnmatch_lines(["nothing was pruned: *"])
    assert len(goldens(pruned)) == 4


def test_a_failing_run_prunes_nothing(pruned: pytest.Pytester) -> None:
    wrong_export(pruned, pad=6)
    kept(pruned, "this run failed")
    kept(pruned, "this run failed", "-x")
    kept(pruned, "this run failed", "--maxfail=1")


# Images that are left out


def test_images_that_may_only_be_missing_here(pruned: pytest.Pytester) -> None:
    """As those of another disk, or of git-lfs."""
    edit(pruned, "pyproject.toml", '"images/*.npy"', '"images/three*.npy", "images/one*.npy"')
    (pruned.path / "images" / "one_word.npy").unlink()
    kept(pruned, "the setting images has 'images/one[*].npy', which matches no file")


def test_a_baseline_that_was_refused_was_asked_for(pruned: pytest.Pytester) -> None:
    """A test that expects a stale one asks for it."""
    path = pruned.path / "images" / "gone.npy"
    np.save(path, np.full((8, 8, 3), 9, np.uint8))
    path.rename(pruned.path / "elsewhere.npy")
    (pruned.path / "goldens" / GONE).rename(pruned.path / "goldens" / "elsewhere.npy.npz")
    pruned.makepyfile(
        test_stale="""
        import pytest
        from pytest_ocrparity.errors import GoldenStale

        def test_stale(ocr_golden):
            with pytest.raises(GoldenStale):
                ocr_golden.trace("elsewhere.npy")
        """
    )
    run(pruned, PRUNE).stdout.fnmatch_lines(["nothing was pruned: each baseline is of an image or a test"])
    assert len(goldens(pruned)) == 4


def test_a_gate_that_compares_live_does_not_show_what_it_would_ask_for(pruned: pytest.Pytester) -> None:
    pruned.makepyfile(
        test_gate="""
        import pytest
        from pytest_ocrparity.gate import *

        @pytest.fixture
        def ocr_image():
            return "elsewhere.npy"
        """
    )
    np.save(pruned.path / "elsewhere.npy", np.load(pruned.path / "images" / "one_word.npy"))
    run(pruned, "--ocr-golden").assert_outcomes(passed=8)
    why = "compared with the live model, and asks for baselines under --ocr-golden only (and 2 more)"
    kept(pruned, f"test_gate.py::test_ocr_* {why}")
    run(pruned, PRUNE, "--ocr-golden").stdout.fnmatch_lines([f"removed unused baselines: {GONE}"])
    assert len(goldens(pruned)) == 4


# Other settings


FEWER = 'images = ["images/three*.npy"]\n'


def test_a_file_with_fewer_images_prunes_nothing_of_another(pruned: pytest.Pytester) -> None:
    (pruned.path / "ci.toml").write_text(FEWER)
    args = ("--ocr-config=ci.toml",)
    assert "unused" not in run(pruned, *args).stdout.str()
    result = run(pruned, PRUNE, *args)
    result.assert_outcomes(passed=3)  # of one folder: the images are the same, and so are their baselines
    result.stdout.fnmatch_lines(
        ["kept, as they were recorded under ../pyproject.toml: images/gone.npy.npz, images/one_word.npy.npz"]
    )
    assert "unused" not in result.stdout.str()
    assert len(goldens(pruned)) == 4


def test_what_a_file_recorded_it_prunes(pruned: pytest.Pytester) -> None:
    (pruned.path / "ci.toml").write_text(FEWER.replace("three", ""))
    args = ("--ocr-config=ci.toml", "--ocr-golden-dir=other")
    run(pruned, "--ocr-golden", *args).assert_outcomes(passed=5)
    (pruned.path / "ci.toml").write_text(FEWER)
    run(pruned, PRUNE, *args).stdout.fnmatch_lines(["removed unused baselines: images/one_word.npy.npz"])
    assert len(list((pruned.path / "other").rglob("*.npz"))) == 2


def test_a_baseline_of_0_1_is_read_and_kept(pruned: pytest.Pytester) -> None:
    """It does not say whose it is. Its bytes are those of 0.1.0."""
    old = BASELINES / "of_0_1.npz"
    shutil.copy(old, pruned.path / "goldens" / "images" / "one_word.npy.npz")
    shutil.copy(old, pruned.path / "goldens" / "images" / "older.npy.npz")
    result = run(pruned)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines([f"unused baselines (--ocr-golden-prune removes them): {GONE}"])
    result = run(pruned, PRUNE)
    result.stdout.fnmatch_lines(
        [
            f"removed unused baselines: {GONE}",
            "kept, as they do not say under which settings they were recorded: images/older.npy.npz; delete by hand *",
        ]
    )
    assert len(goldens(pruned)) == 4
