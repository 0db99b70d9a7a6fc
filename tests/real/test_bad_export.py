"""What can be wrong with an export folder, or with the options for it: one clear error each."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.errors import ModelError
from real.blob import YML, Model, edited, export_yml, transforms, write_yml
from real.features import needs_engines

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
Change = Callable[[Path], object]
BAD_WEIGHTS = (
    r"inference\.pdiparams: paddle .* cannot read these weights: .* of another program than inference\.json\. Copy or "
    "export both again"
)
EVIL = "__import__('os').system('touch evil')"


@pytest.fixture
def export(model: Model, tmp_path: Path) -> Path:
    """A copy of the export to damage."""
    return Path(shutil.copytree(model.export, tmp_path / "my_export"))


def refused(export: Path, message: str, **settings: Any) -> None:
    with pytest.raises(ModelError, match=message):
        load_inference(model_dir=export, **settings)


def without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def holding(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def cut(name: str, size: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def twice(name: str) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() * 2)


def newer_program(folder: Path) -> None:
    """Rename an attribute of an operator, as a newer paddle did between 3.2 and 3.3."""
    path = folder / "inference.json"
    path.write_text(path.read_text().replace('"N":"strides"', '"N":"stridez"'))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, r"my_export: no such folder: inference\.model_dir is the folder tools/export_model\.py wrote"),
        (without("inference.yml"), r"my_export holds no inference\.yml, which paddleocr 3\.x reads"),
        (without("inference.pdiparams"), r"my_export holds inference\.json but no inference\.pdiparams"),
        (
            without("inference.json", "inference.pdiparams"),
            r"my_export holds no program, neither inference\.json nor inference\.pdmodel .*It holds inference\.yml",
        ),
        (without("inference.json"), r"holds no program.*It holds inference\.pdiparams, inference\.yml"),
        (holding("inference.pdiparams", POINTER), r"inference\.pdiparams is a git-lfs pointer.*git lfs pull"),
        (holding("inference.json", POINTER), r"inference\.json is a git-lfs pointer"),
        (holding("inference.yml", POINTER), r"inference\.yml is a git-lfs pointer"),
        (holding("inference.json", ""), r"inference\.json is empty"),
        (
            newer_program,
            r"inference\.json: paddle .* cannot read this program; a newer paddle wrote it.*Re-export with",
        ),
        (cut("inference.json", 500), r"inference\.json: paddle .* cannot read this program; .* or it is damaged"),
        (cut("inference.pdiparams", 100), BAD_WEIGHTS),
        (holding("inference.pdiparams", "<html>Not found</html>"), BAD_WEIGHTS),
        (holding("inference.pdiparams", "\0" * 100), BAD_WEIGHTS),
        (twice("inference.pdiparams"), BAD_WEIGHTS),
    ],
)
def test_an_export_that_is_not_whole(export: Path, change: Change, message: str) -> None:
    change(export)
    refused(export, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Global": None}, r"inference\.yml has no Global\.model_name .*set inference\.model_name, such as"),
        ({"Global__model_name": "tiny_db"}, r"paddlex knows no text-detection model 'tiny_db'.*PP-OCRv5_mobile_det"),
        ({"PreProcess": None}, r"PreProcess\.transform_ops is nothing, not a list"),
        ({"PostProcess": None}, r"PostProcess is nothing, not a mapping"),
        (
            {"PostProcess__name": "DistillationDBPostProcess"},
            r"PostProcess\.name is 'DistillationDBPostProcess', not DBPostProcess, the only one that paddleocr's",
        ),
        ({"PreProcess__transform_ops": [{EVIL: None}]}, r"names .*touch evil.*only these are let through"),
        (
            {"PreProcess__transform_ops": transforms(NormalizeImage={"scale": EVIL})},
            r"NormalizeImage\.scale is .*touch evil.*write a number or a fraction",
        ),
        (
            {"PreProcess__transform_ops": [*transforms(), {"Pad": None}]},
            r"paddlex has no operator 'Pad' for text detec",
        ),
        (
            {"PreProcess__transform_ops": transforms(DecodeImage={"img_mode": "BGR", "ignore_orientation": False})},
            r"paddlex does not accept the arguments of an operator: TypeError: .*ignore_orientation",
        ),
        (
            {"PreProcess__transform_ops": [op for op in transforms() if "ToCHWImage" not in op]},
            r"paddlex built no ToCHW: PreProcess\.transform_ops in inference\.yml lacks it",
        ),
    ],
)
def test_an_inference_yml_that_is_wrong(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_yml(export / "inference.yml", edited(export_yml(YML), **changes))
    refused(export, message)
    assert not (tmp_path / "evil").exists()


def test_a_distillation_export_has_its_yml_one_folder_up(export: Path) -> None:
    (export / "inference.yml").rename(export.parent / "inference.yml")
    refused(export, r"my_export holds no inference\.yml.*one for all its networks, .*/inference\.yml: copy it here")


def test_the_setting_names_the_model_where_the_yml_does_not(export: Path) -> None:
    write_yml(export / "inference.yml", edited(export_yml(YML), Global=None))
    if Version(version("paddlex")) < Version("3.2"):
        refused(export, r"my_export/inference\.yml: paddlex misses 'Global' in it", model_name="PP-OCRv4_mobile_det")
    else:
        assert load_inference(model_dir=export, model_name="PP-OCRv4_mobile_det")


def test_what_paddlex_misses_in_a_yml_is_told_apart_from_an_operator(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise KeyError("Global")

    paddleocr = pytest.importorskip("paddleocr")
    monkeypatch.setattr(paddleocr.TextDetection, "__init__", missing)
    refused(export, r"my_export/inference\.yml: paddlex misses 'Global' in it")


def test_a_model_name_against_the_yml(export: Path) -> None:
    refused(
        export, r"inference\.model_name is 'PP-OCRv3_mobile_det', but .*names another", model_name="PP-OCRv3_mobile_det"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"options": {"enable_mkldn": False}},
            r"inference\.options: paddleocr knows no option 'enable_mkldn'; did you mean 'enable_mkldnn'\? It",
        ),
        ({"options": {"ir_optim": True}}, r"knows no option 'ir_optim'; known: box_thresh, .*use_tensorrt"),
        ({"options": {"use_pptrt": True}}, r"knows no option 'use_pptrt'; .*It knows .*precision.*use_tensorrt"),
        (
            {"options": {"model_dir": "x"}},
            r"inference\.options: model_dir has a setting of its own, inference\.model_d",
        ),
        (
            {"predict_options": {"max_side": 1}},
            r"inference\.predict_options: paddleocr knows no option 'max_side'; did you mean 'max_side_limit'\? It",
        ),
        ({"options": {"engine": "abacus"}}, r"cannot load this export: ValueError: Invalid engine: abacus"),
        ({"options": {"engine": "onnxruntime"}}, r"No valid model files were found for engine 'onnxruntime'"),
    ],
)
def test_options_that_mean_nothing(export: Path, settings: dict[str, Any], message: str) -> None:
    if "engine" in settings.get("options", {}):
        needs_engines()
    refused(export, message, **settings)


def test_two_programs_are_a_warning_that_names_the_one_that_runs(export: Path) -> None:
    (export / "inference.pdmodel").write_bytes(b"an older export")
    os.utime(export / "inference.pdmodel", (1_600_000_000, 1_600_000_000))
    with pytest.warns(
        UserWarning,
        match=r"my_export holds two programs: paddle runs inference\.json \(written 20\d\d-.*\) "
        r"and ignores inference\.pdmodel \(written 2020-09-1\d .*\); delete the stale one",
    ):
        side = load_inference(model_dir=export)
    assert side.parameters["probability_map"]["program"] == "inference.json"
    assert "inference.pdmodel" in side.fingerprint


def test_one_program_is_no_warning(export: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_inference(model_dir=export)


def test_a_paddleocr_without_text_detection(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PaddleOCR 2.x, or a checkout that shadows the installed one."""
    import paddleocr

    monkeypatch.delattr(paddleocr, "TextDetection")
    refused(export, r"paddleocr \S+, imported from .*paddleocr.*, has no TextDetection: pip install \"paddleocr>=3\"")


def test_what_fails_before_the_operators_is_not_blamed_on_them(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with paddleocr 3.1 beside paddlex 3.7."""
    from paddleocr import TextDetection

    def of_another_version(*_: Any, **__: Any) -> None:
        raise TypeError("PaddlePredictorOption takes 1 argument")

    monkeypatch.setattr(TextDetection, "_create_paddlex_predictor", of_another_version)
    refused(export, "my_export: paddleocr cannot load this export: TypeError: PaddlePredictorOption takes 1 argument")
