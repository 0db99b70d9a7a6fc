"""What the files alone tell, before any model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_ocrparity.artifacts.lint import static_findings

EXAMPLE = Path(__file__).parents[1] / "example_project"


def findings(tmp_path: Path, **changes: Any) -> list[str]:
    """Return what is found in the example's files after changes of "train.operator", "export.operator" or options."""
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    export = yaml.safe_load((EXAMPLE / "inference" / "inference.yml").read_text())
    sides = {
        "train": (train, train["Eval"]["dataset"]["transforms"]),
        "export": (export, export["PreProcess"]["transform_ops"]),
    }
    options = changes.pop("options", {})
    for place, arguments in changes.items():
        document, transforms = sides[place.partition("__")[0]]
        name = place.partition("__")[2]
        entry = next((entry for entry in transforms if name in entry), None)
        if name in ("Global", "PostProcess"):
            document[name] = arguments if arguments is None else {**document[name], **arguments}
        elif entry is not None:
            entry[name] = {**(entry[name] or {}), **arguments}
        else:
            transforms.append({name: arguments})
    (tmp_path / "train.yml").write_text(yaml.safe_dump(train))
    (tmp_path / "inference").mkdir()
    (tmp_path / "inference" / "inference.yml").write_text(yaml.safe_dump(export))
    settings = {"model_dir": tmp_path / "inference", "options": options}
    return static_findings({"config": tmp_path / "train.yml"}, settings)


def test_right_files_say_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train__ColorJitter": {}}, "holds ColorJitter, a random operator: evaluation must not have it"),
        ({"export__ColorJitter": {}}, "which paddleocr 3.x does not run"),
        ({"train__Global": {"limit_side_len": 640}}, "Global.limit_side_len reaches every operator"),
        ({"export__DetResizeForTest": {"limit_side_len": 736}}, "ignores limit_side_len: 736 there: pass it in"),
        (
            {"export__DetResizeForTest": {"image_shape": [640, 640]}, "options": {"limit_side_len": 736}},
            "image_shape: [640, 640] switches off the limits in inference.options",
        ),
        ({"options": {"box_thresh": 0}}, "paddleocr takes box_thresh = 0 for not given"),
        ({"export__Global": None}, "has no Global.model_name: set inference.model_name"),
        ({"train__PostProcess": {"det_box_type": "poly"}}, "PostProcess.det_box_type is ignored: the key is box_type"),
        (
            {"export__NormalizeImage": {"scale": 1.0}},
            "NormalizeImage.scale: 1./255. in the training YAML file, 1.0 in inference.yml",
        ),
        (
            {"train__PostProcess": {"use_dilation": True}},
            "PostProcess.use_dilation: True in the training YAML file, not set in inference.yml",
        ),
    ],
)
def test_one_wrong_thing_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert any(told in finding for finding in findings(tmp_path, **changes))


def test_two_programs_are_told_with_their_age(tmp_path: Path) -> None:
    import os

    for name, age in (("inference.json", 100), ("inference.pdmodel", 0)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    (told,) = static_findings({}, {"model_dir": tmp_path})
    assert told.endswith("holds two programs: paddle runs the older inference.json")


def test_what_cannot_be_read_is_left_to_the_loader(tmp_path: Path) -> None:
    (tmp_path / "train.yml").write_text("Eval: 3")
    assert static_findings({"config": tmp_path / "train.yml"}, {"model_dir": tmp_path / "nowhere"}) == []
    assert static_findings({}, {}) == []


def test_a_failed_run_prints_them_although_no_model_loaded(pytester: pytest.Pytester) -> None:
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    train["Eval"]["dataset"]["transforms"].append({"ColorJitter": None})
    (pytester.path / "det.yml").write_text(yaml.safe_dump(train))
    pytester.makepyprojecttoml('[tool.ocrparity]\nimages = ["*.png"]\ntrain = { config = "det.yml" }\n')
    pytester.makepyfile("def test_it(ocr_inference_model): ...")
    result = pytester.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["in the files: det.yml: Eval.dataset.transforms holds ColorJitter*"])


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
    return [line for line in result.outlines if line.startswith("in the files: ")]


def own_engine(asks: str = "") -> str:
    return OWN_ENGINE.format(tests=str(Path(__file__).parent), asks=asks)


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
    pytester: pytest.Pytester, test: str, expected: list[str]
) -> None:
    written(pytester)
    second = pytester.mkdir("second") / "inference.yml"
    second.write_text((pytester.path / "inference" / "inference.yml").read_text().replace("thresh: 0.4", "thresh: 0.5"))
    settings = pytester.path / "pyproject.toml"
    settings.write_text(settings.read_text() + '\n[tool.ocrparity.candidates.two]\nmodel_dir = "second"\n')
    pytester.makepyfile("def test_it(ocr_inference_model): ...")
    told = printed(pytester, "", "-p", "no:xdist", "-k", test or "test_it")
    found = [line.split(" in the training YAML file, ")[1].split()[0] for line in told if "PostProcess.thresh" in line]
    assert found == expected
