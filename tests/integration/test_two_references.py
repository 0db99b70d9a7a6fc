"""Two references for one image: refused, whoever asks first, without loading a model only to compare."""

from __future__ import annotations

import numpy as np
import pytest
from paths import BASELINES
from toy import PAGE

from pytest_ocrparity.golden.baseline_file import load_baseline_file

REFERENCE = """
import pathlib
import pytest
from toy import Toy

def with_digest(digest, **fields):
    toy = Toy(**fields)
    toy.fingerprint = {{"checkpoint": digest}}
    return toy

@pytest.fixture(scope="session")
def ocr_train_model():
    pathlib.Path("loaded").touch()
    return {model}
"""
TEST = """
from pytest_ocrparity import assert_same_probability_maps

def test_{name}(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_probability_maps(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
IMAGE = "images/one_word.npy"


@pytest.fixture
def folders(project: pytest.Pytester) -> pytest.Pytester:
    """The project with two folders, whose references are the same so far, and one image."""
    (project.path / "test_export.py").unlink()
    (project.path / "images" / "three_words.npy").unlink()
    with (project.path / "pyproject.toml").open("a") as settings:
        settings.write("\n[tool.pytest.ini_options]\n")
    for name in ("a", "b"):
        (project.path / name).mkdir()
        (project.path / name / f"test_{name}.py").write_text(TEST.format(name=name))
        reference(project, name, "Toy()")
    return project


def reference(project: pytest.Pytester, folder: str, model: str) -> None:
    (project.path / folder / "conftest.py").write_text(REFERENCE.format(model=model))


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    (project.path / "loaded").unlink(missing_ok=True)
    return project.runpytest("-p", "no:xdist", *args)


def is_loaded(project: pytest.Pytester) -> bool:
    return (project.path / "loaded").exists()


def model_of(project: pytest.Pytester) -> dict[str, object]:
    found: dict[str, object] = load_baseline_file(project.path / "goldens" / f"{IMAGE}.npz").manifest["model"]
    return found


def refused(result: pytest.RunResult, kind: str = " (toy.Toy)") -> None:
    """Check that the test of folder b was refused, and only that."""
    result.assert_outcomes(failed=1, passed=result.parseoutcomes().get("passed", 0))
    result.stdout.fnmatch_lines(
        [
            f"*GoldenTaken: {IMAGE}: two references ask for one baseline, goldens/{IMAGE}.npz: it is that of "
            f"ocr_train_model of a/conftest.py{kind}, and this test's is ocr_train_model of b/conftest.py. Give one of "
            "them images of its own, or a golden.dir of its own (*"
        ]
    )


def test_another_model_of_the_same_class_and_name_is_refused(folders: pytest.Pytester) -> None:
    reference(folders, "b", "Toy(gain=7.0)")
    refused(run(folders, "--ocr-golden"))
    assert model_of(folders)["fixtures"] == ["a/conftest.py"]
    for args in ((), ("b",), ("--ocr-no-train",)):
        refused(run(folders, *args))
        assert not is_loaded(folders)
    refused(run(folders, "--ocr-golden", "b"))
    before = (folders.path / "goldens" / f"{IMAGE}.npz").read_bytes()
    for mode in ("changed", "all"):
        refused(run(folders, "--ocr-golden", f"--ocr-golden-mode={mode}", "b"))
        assert (folders.path / "goldens" / f"{IMAGE}.npz").read_bytes() == before
    run(folders, "a").assert_outcomes(passed=1)


def test_another_name_is_another_model(folders: pytest.Pytester) -> None:
    reference(folders, "b", "Toy(name='other')")
    refused(run(folders, "--ocr-golden"))
    refused(run(folders))


def test_what_makes_the_same_of_an_image_may_share_its_baseline(folders: pytest.Pytester) -> None:
    """The same class in two folders: nobody can tell but by what it makes."""
    for mode in ("missing", "changed", "all"):
        run(folders, "--ocr-golden", f"--ocr-golden-mode={mode}").assert_outcomes(passed=2)
        assert model_of(folders)["fixtures"] == ["a/conftest.py", "b/conftest.py"]
    for args, count in (((), 2), (("b",), 1), (("--ocr-no-train",), 2)):
        run(folders, *args).assert_outcomes(passed=count)
        assert not is_loaded(folders)


def test_one_that_is_new_is_compared_once_it_was_recorded(folders: pytest.Pytester) -> None:
    run(folders, "--ocr-golden", "a").assert_outcomes(passed=1)
    refused(run(folders))
    run(folders, "--ocr-golden").assert_outcomes(passed=2)
    run(folders).assert_outcomes(passed=2)


def test_digests_tell_two_models_apart_and_show_one(folders: pytest.Pytester) -> None:
    """Whatever these make of this image: the first two differ, and the others do not."""
    for folder, gain in (("a", 6.0), ("b", 7.0)):
        reference(folders, folder, f"with_digest('w1', gain={gain})")
    run(folders, "--ocr-golden").assert_outcomes(passed=2)
    run(folders).assert_outcomes(passed=2)
    reference(folders, "b", "with_digest('w2')")
    (folders.path / "goldens" / f"{IMAGE}.npz").unlink()
    refused(run(folders, "--ocr-golden"))


def test_digests_of_one_folder_are_not_held_against_another(folders: pytest.Pytester) -> None:
    """Each has its own image, and nothing has changed."""
    np.save(folders.path / "images" / "other.npy", PAGE)
    for folder, image in (("a", "one_word"), ("b", "other")):
        reference(folders, folder, f"with_digest('{folder}')")
        test = TEST.format(name=folder).replace(", ocr_image", "").replace("(ocr_image)", f"('images/{image}.npy')")
        (folders.path / folder / f"test_{folder}.py").write_text(test)
    run(folders, "--ocr-golden", "b").assert_outcomes(passed=1)
    run(folders, "--ocr-golden").assert_outcomes(passed=2)
    run(folders).assert_outcomes(passed=2)


def test_a_fixture_made_anew_for_each_test_is_one(folders: pytest.Pytester) -> None:
    path = folders.path / "a" / "conftest.py"
    path.write_text(path.read_text().replace('(scope="session")', ""))
    again = TEST.format(name="again").partition("def")
    (folders.path / "a" / "test_a.py").write_text(TEST.format(name="a") + "\n" + "".join(again[1:]))
    for mode in ("missing", "all"):
        run(folders, "--ocr-golden", f"--ocr-golden-mode={mode}", "a").assert_outcomes(passed=2)
    run(folders, "a").assert_outcomes(passed=2)


@pytest.mark.parametrize("place", ["conftest.py", "a/test_a.py"])
def test_a_fixture_that_has_moved_finds_its_baselines(folders: pytest.Pytester, place: str) -> None:
    """Also where its old file, which still asks for it, stays."""
    run(folders, "--ocr-golden", "a").assert_outcomes(passed=1)
    old = (folders.path / "a" / "conftest.py").read_text()
    (folders.path / "a" / "conftest.py").write_text("import pytest\n\ndef uses(ocr_train_model): ...\n")
    new = folders.path / place
    new.write_text(old + "\n" + new.read_text())
    run(folders, "a").assert_outcomes(passed=1)


def test_two_parameters_of_a_fixture_are_two_references(folders: pytest.Pytester) -> None:
    """The test must name what is parametrized. A parameter may be that of a fixture below."""
    (folders.path / "a" / "conftest.py").write_text(
        """
import pytest
from toy import Toy

@pytest.fixture(scope="session", params=[6.0, 7.0])
def gain(request):
    return request.param

@pytest.fixture(scope="session")
def ocr_train_model(gain):
    return Toy(gain=gain)
"""
    )
    test = TEST.format(name="a").replace("ocr_golden,", "ocr_golden, ocr_train_model,")
    (folders.path / "a" / "test_a.py").write_text(test)
    for args in (("--ocr-golden", "a"), ("a",), ("a", "--ocr-golden", "--ocr-golden-mode=all")):
        result = run(folders, *args)
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(
            [
                "*it is that of ocr_train_model of a/conftest.py with gain=6.0 (toy.Toy), and this test's is "
                "ocr_train_model of a/conftest.py with gain=7.0.*"
            ]
        )


def test_parameters_that_change_nothing_are_one_reference(folders: pytest.Pytester) -> None:
    path = folders.path / "a" / "conftest.py"
    path.write_text(path.read_text().replace('"session"', '"session", params=[1, "/some/where"]'))
    test = TEST.format(name="a").replace("ocr_golden,", "ocr_golden, ocr_train_model,")
    (folders.path / "a" / "test_a.py").write_text(test)
    run(folders, "--ocr-golden", "a").assert_outcomes(passed=2)
    run(folders, "a").assert_outcomes(passed=2)
    named = "a/conftest.py with ocr_train_model="
    assert model_of(folders)["fixtures"] == [f"{named}#2", f"{named}1"]  # a path is no part of it


def test_an_export_as_reference_is_one_as_well(folders: pytest.Pytester) -> None:
    with (folders.path / "pyproject.toml").open("a") as settings:
        settings.write('\n[tool.ocrparity.golden]\nreference = "inference"\n')
    for folder, gain in (("a", 6.0), ("b", 7.0)):
        path = folders.path / folder / "conftest.py"
        reference(folders, folder, f"Toy(name='inference', gain={gain})")
        path.write_text(path.read_text().replace("ocr_train_model", "ocr_inference_model"))
    result = run(folders, "--ocr-golden")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*this test's is ocr_inference_model of b/conftest.py.*"])


def test_a_baseline_of_0_1_belongs_to_who_asks_first(folders: pytest.Pytester) -> None:
    path = folders.path / "goldens" / f"{IMAGE}.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes((BASELINES / "of_0_1.npz").read_bytes())
    run(folders, "a").assert_outcomes(passed=1)
    run(folders, "b").assert_outcomes(passed=1)
    refused(run(folders), kind="")
    assert not is_loaded(folders)
    run(folders, "--ocr-golden").assert_outcomes(passed=2)
    run(folders).assert_outcomes(passed=2)


# The ways out


def test_settings_of_its_own_help(folders: pytest.Pytester) -> None:
    reference(folders, "b", "Toy(gain=7.0)")
    test = (folders.path / "b" / "test_b.py").read_text()
    (folders.path / "b" / "test_b.py").write_text(test.replace("ocr_inference_model", "ocr_train_model"))
    run(folders, "--ocr-golden", "a").assert_outcomes(passed=1)
    (folders.path / "b" / "ocrparity.toml").write_text('images = ["../images/*.npy"]\n[golden]\ndir = "goldens"\n')
    run(folders, "--ocr-golden", "b").assert_outcomes(passed=1)
    for folder in ("a", "b"):
        run(folders, folder).assert_outcomes(passed=1)
    assert len(list((folders.path / "b" / "goldens").rglob("*.npz"))) == 1


def test_deleting_it_helps_where_one_has_replaced_the_other(folders: pytest.Pytester) -> None:
    run(folders, "--ocr-golden", "a").assert_outcomes(passed=1)
    reference(folders, "b", "Toy(name='other')")
    refused(run(folders, "b"))
    (folders.path / "goldens" / f"{IMAGE}.npz").unlink()
    run(folders, "--ocr-golden", "b").assert_outcomes(passed=1)
    run(folders, "b").assert_outcomes(passed=1)
