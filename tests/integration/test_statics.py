"""A failed run prints what the files alone tell, of the sides that it ran."""

from __future__ import annotations

import pytest
import yaml
from paths import EXAMPLE, TESTS


def test_a_failed_run_prints_them_although_no_model_loaded(pytester: pytest.Pytester) -> None:
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    train["Eval"]["dataset"]["transforms"].append({"ColorJitter": None})
    (pytester.path / "det.yml").write_text(yaml.safe_dump(train))
    pytester.makepyprojecttoml('[tool.ocrparity]\nimages = ["*.png"]\ntrain = { config = "det.yml" }\n')
    pytester.makepyfile("def test_it(ocr_inference_model): ...")
    result = pytester.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["suspicious in the model's files: det.yml: Eval.dataset.transforms holds ColorJitter*"]
    )


OWN_ENGINE = """
import sys
import pytest

sys.path.insert(0, {tests!r})
from toy import Toy

@pytest.fixture(scope="session")
def ocr_inference_model({asks}):
    return Toy(name="port", mean=0.6)
"""
TWO_TESTS = """
from pytest_ocrparity import assert_same_preprocessing
from toy import Toy, PAGE

def test_port(ocr_inference_model):
    assert_same_preprocessing(Toy().trace(PAGE), ocr_inference_model.trace(PAGE))
"""


def written(pytester: pytest.Pytester) -> None:
    """Write a project whose inference.yml differs from its training yml in one threshold."""
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    train["Eval"]["dataset"]["transforms"].append({"ColorJitter": None})
    export = yaml.safe_load((EXAMPLE / "inference" / "inference.yml").read_text())
    export["PostProcess"]["thresh"] = 0.4
    (pytester.path / "det.yml").write_text(yaml.safe_dump(train))
    pytester.mkdir("inference").joinpath("inference.yml").write_text(yaml.safe_dump(export))
    tables = '[tool.ocrparity.train]\nconfig = "det.yml"\n[tool.ocrparity.inference]\nmodel_dir = "inference"\n'
    pytester.makepyprojecttoml(f'[tool.ocrparity]\nimages = ["*.png"]\n{tables}')


def printed(pytester: pytest.Pytester, conftest: str = "", *args: str) -> list[str]:
    pytester.makeconftest(conftest)
    result = pytester.runpytest_inprocess(*(args or ("-p", "no:xdist")))
    assert result.ret == 1
    return [line for line in result.outlines if line.startswith("suspicious in the model's files: ")]


def own_engine(asks: str = "") -> str:
    return OWN_ENGINE.format(tests=str(TESTS), asks=asks)


def test_of_an_engine_that_reads_no_file_nothing_is_told(pytester: pytest.Pytester) -> None:
    written(pytester)
    pytester.makepyfile(TWO_TESTS)
    told = printed(pytester, own_engine())
    assert len(told) == 1  # of the training yml, which the baselines or another test may come from
    assert "ColorJitter" in told[0]


def test_of_an_engine_around_ours_the_files_are_told(pytester: pytest.Pytester) -> None:
    written(pytester)
    pytester.makepyfile("def test_it(ocr_inference_model): ...")
    told = printed(pytester, own_engine("ocr_inference_model"))
    assert any("PostProcess.thresh: 0.3 in the training YAML file, 0.4 in inference.yml" in line for line in told)


def test_of_a_side_that_no_test_replaced_the_files_are_told(pytester: pytest.Pytester) -> None:
    written(pytester)
    pytester.makepyfile("def test_it(ocr_train_model): ...")
    assert any("PostProcess.thresh" in line for line in printed(pytester))


def test_of_a_train_model_of_the_users_its_yml_is_not_told(pytester: pytest.Pytester) -> None:
    written(pytester)
    conftest = own_engine().replace("ocr_inference_model", "ocr_train_model")
    pytester.makepyfile("def test_it(ocr_train_model, ocr_inference_model): ...")
    told = printed(pytester, conftest)
    assert not any("ColorJitter" in line or "training YAML file" in line for line in told)


@pytest.mark.parametrize(("test", "expected"), [("inference", ["0.4"]), ("two", ["0.5"]), ("", ["0.4", "0.5"])])
def test_of_several_candidates_those_are_told_that_ran(
    pytester: pytest.Pytester, test: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ocrparity.session.models.inference_model_problems", lambda settings, name=None: [])
    written(pytester)
    second = pytester.mkdir("second") / "inference.yml"
    second.write_text((pytester.path / "inference" / "inference.yml").read_text().replace("thresh: 0.4", "thresh: 0.5"))
    settings = pytester.path / "pyproject.toml"
    settings.write_text(settings.read_text() + '\n[tool.ocrparity.candidates.two]\nmodel_dir = "second"\n')
    pytester.makepyfile("def test_it(ocr_inference_model): ...")
    told = printed(pytester, "", "-p", "no:xdist", "-k", test or "test_it")
    found = [line.split(" in the training YAML file, ")[1].split()[0] for line in told if "PostProcess.thresh" in line]
    assert found == expected
