"""What can be wrong with a recogniser's files: one clear error each, where the libraries say nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.onnx.pipeline import load_onnx_pipeline
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline, load_training
from pytest_ocrparity.errors import ModelError
from real.blob import YML as DETECTOR
from real.blob import Model, edited, write_yml
from real.blob import export_yml as detectors_export
from real.features import IS_PADDLEX_3_1
from real.lines import LETTERS, YML, Reader, export_yml, transforms, write_dictionary

EVIL = "__import__('os').system('touch evil')"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


def resized(**resize: Any) -> list[dict[str, Any]]:
    """Return the transforms with another operator in the place of RecResizeImg."""
    return [resize if "RecResizeImg" in entry else entry for entry in transforms()]


def refused(reader: Reader, folder: Path, message: str, yml: dict[str, Any] = YML, **settings: Any) -> None:
    """Load the train side of a yml in a folder of its own, with the dictionary of that folder."""
    config = write_yml(folder / "my.yml", yml)
    if not (folder / "dict.txt").exists():
        write_dictionary(folder / "dict.txt", LETTERS)
    with pytest.raises(ModelError, match=message):
        load_ppocr_pipeline(**{**reader.train, "config": config, **settings})


class TestTraining:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"Eval": None}, r"Eval\.dataset\.transforms is nothing, not a list"),
            ({"PostProcess": None}, r"PostProcess is nothing, not a mapping: it turns the probability map into text"),
            (
                {"PostProcess__name": "SARLabelDecode"},
                r"PostProcess\.name is 'SARLabelDecode', not CTCLabelDecode or DistillationCTC.*\. The texts of a reco",
            ),
            ({"Architecture__algorithm": "Distillation"}, r"Architecture\.Models is nothing, not a mapping"),
            ({"Global": [1]}, r"Global is a list, not a mapping"),
            (
                {"Eval__dataset__transforms": [*transforms(), {EVIL: None}]},
                r"names .*touch evil.*of PaddleOCR's recognition YAML files; .*only these are let through",
            ),
            (
                {"Eval__dataset__transforms": resized(DetResizeForTest=None)},
                r"names 'DetResizeForTest', which is not among the operators of PaddleOCR's recognition YAML files",
            ),
            (
                {"Eval__dataset__transforms": transforms()[:2] + transforms()[3:]},
                r"lacks RecResizeImg or SVTRRecResizeImg, without which tools/eval\.py cannot run",
            ),
            ({"Eval__dataset__transforms": transforms()[1:]}, r"lacks DecodeImage, without which tools/eval\.py"),
            (
                {"Eval__dataset__transforms": transforms(RecResizeImg={"image_shape": [1, 32, 100]})},
                r"RecResizeImg\.image_shape is \[1, 32, 100\], not \[3, height, width\] in pixels",
            ),
            (
                {"Eval__dataset__transforms": transforms(RecResizeImg=None)},
                r"RecResizeImg\.image_shape is None, not",
            ),
            (
                {"Eval__dataset__name": "MultiScaleDataSet"},
                r"Eval\.dataset\.name is MultiScaleDataSet, which resizes lines itself .*: set SimpleDataSet",
            ),
            (
                {"Global__character_dict_path": "gone.txt"},
                r"no dictionary at .*/gone\.txt, or below a folder above, which .*my\.yml \(Global\.charac",
            ),
        ],
    )
    def test_a_yml_that_is_wrong(
        self, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        refused(reader, tmp_path, message, edited(YML, **changes))
        assert not (tmp_path / "evil").exists()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"a\n\xff\n", r"dict\.txt: not UTF-8 at byte 2: save this dictionary as UTF-8"),
            (POINTER.encode(), r"dict\.txt is a git-lfs pointer, not the file itself: run `git lfs pull`"),
            (b"", r"dict\.txt is empty"),
        ],
    )
    def test_a_dictionary_that_does_not_read(
        self, reader: Reader, tmp_path: Path, content: bytes, message: str
    ) -> None:
        (tmp_path / "dict.txt").write_bytes(content)
        refused(reader, tmp_path, message)

    @pytest.mark.parametrize("network", ["real.line_net:build", "real.line_net:build_twelve"])
    @pytest.mark.parametrize(
        ("letters", "use_space", "message"),
        [
            (
                LETTERS[:-1],
                True,
                r"the dictionary .*dict\.txt has 9 entries, and .*best\.pdparams has 12 classes with the blank, for 11 "
                r"entries, or 10 and the space that use_space_char appends: in .*my\.yml, set Global\.character_",
            ),
            (LETTERS, False, r"has 10 entries, and .* has 12 classes .*: in .*, set Global\.use_space_char: true"),
            (
                f"{LETTERS}x",
                True,
                r"has 11 entries, and .* has 12 classes .*: in .*, set Global\.use_space_char: fa",
            ),
            ("x", True, r"has 1 entry, and .* has 12 classes"),
        ],
        ids=["a line lost", "no space", "a space too many", "one line"],
    )
    def test_a_dictionary_of_another_network(
        self, reader: Reader, tmp_path: Path, network: str, letters: str, use_space: bool, message: str
    ) -> None:
        write_dictionary(tmp_path / "dict.txt", letters)
        refused(reader, tmp_path, message, edited(YML, Global__use_space_char=use_space), network=network)

    def test_the_default_dictionary_of_another_network(self, reader: Reader, tmp_path: Path) -> None:
        message = r"the default dictionary, 0-9 and a-z, has 36 entries, and .* 12 classes .* set Global\.char"
        refused(reader, tmp_path, message, edited(YML, Global__character_dict_path=None))

    def test_a_checkpoint_that_differs_in_more_is_not_put_down_to_the_dictionary(
        self, reader: Reader, tmp_path: Path
    ) -> None:
        import pickle

        import numpy as np

        with reader.checkpoint.open("rb") as file:
            values = pickle.load(file)
        values["smooth.weight"] = np.zeros((1, 1, 1, 5), np.float32)
        path = tmp_path / "other.pdparams"
        path.write_bytes(pickle.dumps(values, protocol=4))
        write_dictionary(tmp_path / "dict.txt", LETTERS[:-1])
        refused(reader, tmp_path, r"is not a checkpoint of the YAML file's network: 1 of 4 keys fit", checkpoint=path)

    def test_a_distillation_needs_a_sub_model(self, reader: Reader, tmp_path: Path) -> None:
        models = {"model_type": "rec", "algorithm": "Distillation", "Models": {"Student": {}, "Teacher": {}}}
        refused(
            reader,
            tmp_path,
            r"trains 2 networks and train\.sub_model picks none: set it to Student or Teacher",
            edited(YML, Architecture=models),
        )

    def test_a_recognisers_yml_is_no_detectors(self, reader: Reader) -> None:
        with pytest.raises(ModelError, match=r"names 'RecResizeImg', which is not among .*detection YAML files"):
            load_training(**reader.train)


def export_of(reader: Reader, folder: Path, yml: dict[str, Any]) -> Path:
    export = Path(shutil.copytree(reader.export, folder / "my_export"))
    write_yml(export / "inference.yml", yml)
    return export


KNOWN = r"it knows DecodeImage, KeepKeys, MultiLabelEncode, RecResizeImg\. After each export, change that file: "


class TestExport:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"PreProcess__transform_ops": [{"CTCLabelEncode": None}, *transforms()]},
                rf"paddleocr's TextRecognition knows no 'CTCLabelEncode', and stops there without a word; {KNOWN}"
                r"take CTCLabelEncode out, as a deployment reads no labels$",
            ),
            (
                {
                    "PreProcess__transform_ops": resized(
                        SVTRRecResizeImg={"image_shape": [3, 48, 320], "padding": False}
                    )
                },
                r"no 'SVTRRecResizeImg', .*: write RecResizeImg with image_shape: \[3, 48, 320\] in the place of SVTR"
                r"RecResizeImg, and set inference\.options = \{ input_shape = \[3, 48, 320\] \}, which Text",
            ),
            (
                {"PreProcess__transform_ops": resized(SVTRRecResizeImg={"image_shape": [3, 48, 320]})},
                r"in the place of SVTRRecResizeImg, which lets a line be wider than that",
            ),
            (
                {"PreProcess__transform_ops": [*transforms(), {"RecAug": None}]},
                r"no 'RecAug', .*: take RecAug, a random operator, out, and out of Eval\.dataset\.transforms",
            ),
            (
                {"PreProcess__transform_ops": transforms(DecodeImage={"img_mode": "BGR", "ignore_orientation": False})},
                r"paddlex does not accept the arguments of an operator: TypeError: .*ignore_orientation",
            ),
            (
                {"PreProcess__transform_ops": transforms(DecodeImage={"img_mode": "GRAY", "channel_first": False})},
                r"DecodeImage\.img_mode is 'GRAY'; paddleocr's TextRecognition takes three channels, BGR or RGB",
            ),
            (
                {"PreProcess__transform_ops": transforms()[:2]},
                r"transform_ops lacks RecResizeImg, without which paddlex stops at the first image",
            ),
            (
                {"PreProcess__transform_ops": transforms(RecResizeImg={"image_shape": [1, 48, 320]})},
                r"RecResizeImg\.image_shape is \[1, 48, 320\], not \[3, height, width\]",
            ),
            (
                {"PostProcess__name": "DistillationCTCLabelDecode"},
                r"'DistillationCTCLabelDecode', not CTCLabelDecode, the only one .* write that name, the other keys",
            ),
            (
                {"PostProcess__name": "NRTRLabelDecode"},
                r"'NRTRLabelDecode', not CTCLabelDecode, the only one .* with another head than CTC can't be deployed",
            ),
            (
                {"PostProcess__character_dict": None},
                r"holds no PostProcess\.character_dict, and the dictionary that paddlex takes then, 0-9 and a-z, has 3",
            ),
            (
                {"PostProcess__character_dict": list(LETTERS[:-2])},
                r"PostProcess\.character_dict in .*inference\.yml has 8 entries, and .*inference\.json has 12 classes "
                r"with the blank, for 11 entries, or 10 and .*: export again with the dictionary of the training",
            ),
            ({"PostProcess__character_dict": list(LETTERS) + ["x"] * 2}, r"has 12 entries, and .* has 12 classes"),
            (
                {"PostProcess__character_dict": [*LETTERS[:4], 4, *LETTERS[5:]]},
                r"entry 5 of PostProcess\.character_dict is 4, a int, and paddlex stops where that is read: put it",
            ),
            ({"PostProcess__character_dict": [*LETTERS[:9], None]}, r"entry 10 .* is nothing, and paddlex stops"),
            ({"PostProcess__character_dict": {"a": 1}}, r"character_dict is a dict, not a list of characters"),
            (
                {"Global__model_name": "tiny_rec"},
                r"paddlex knows no text-recognition model 'tiny_rec': .*PP-OCRv5_",
            ),
            ({"Global": None}, r"has no Global\.model_name .*such as model_name = \"PP-OCRv5_mobile_rec\""),
        ],
    )
    def test_an_inference_yml_that_is_wrong(
        self, reader: Reader, tmp_path: Path, changes: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ModelError, match=message):
            load_paddlex_pipeline(model_dir=export_of(reader, tmp_path, edited(export_yml(YML), **changes)))

    @pytest.mark.parametrize("entries", [LETTERS, f"{LETTERS}x"], ids=["and a space", "no space"])
    def test_a_dictionary_that_may_be_the_networks(self, reader: Reader, tmp_path: Path, entries: str) -> None:
        export = export_of(reader, tmp_path, edited(export_yml(YML), PostProcess__character_dict=list(entries)))
        assert load_paddlex_pipeline(model_dir=export)

    @pytest.mark.parametrize("name", ["MultiLabelEncode", "KeepKeys"])
    def test_what_paddlex_passes_over_may_be_missing(self, reader: Reader, tmp_path: Path, name: str) -> None:
        left = [entry for entry in transforms() if name not in entry]
        export = export_of(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=left))
        assert load_paddlex_pipeline(model_dir=export)

    def test_the_fix_of_svtrs_resize_works_as_it_is_printed(self, reader: Reader, tmp_path: Path) -> None:
        yml = edited(export_yml(YML), PreProcess__transform_ops=transforms(RecResizeImg={"image_shape": [3, 48, 320]}))
        export = export_of(reader, tmp_path, yml)
        side = load_paddlex_pipeline(model_dir=export, options={"input_shape": [3, 48, 320]})
        assert side.parameters["resize"]["rule"] == "stretched"

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"options": {"limit_side_len": 3}}, r"knows no option 'limit_side_len'; known: .*input_shape"),
            (
                {"predict_options": {"thresh": 1}},
                rf"knows no option 'thresh'; known: batch_size{', return_word_box' * (not IS_PADDLEX_3_1)}$",
            ),
            (
                {"api": "TextDetection"},
                r"is of a model for text recognition, and paddleocr\.TextDetection runs models for text detection: "
                r"deploy it with paddleocr\.TextRecognition",
            ),
            ({"api": "PaddleOCR"}, r"and paddleocr\.PaddleOCR runs models for text detection"),
        ],
    )
    def test_options_that_mean_nothing(self, reader: Reader, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ModelError, match=message):
            load_paddlex_pipeline(model_dir=reader.export, **settings)

    def test_a_bare_file_beside_its_inference_yml(self, reader: Reader, tmp_path: Path) -> None:
        export = export_of(reader, tmp_path, export_yml(YML))
        (export / "inference.onnx").write_bytes(b"anything")
        message = r"inference\.yml is of a recogniser, and inference\.model_file runs detectors alone: set"
        with pytest.raises(ModelError, match=message):
            load_onnx_pipeline(export / "inference.onnx")

    def test_a_detectors_export(self, model: Model, tmp_path: Path) -> None:
        export = Path(shutil.copytree(model.export, tmp_path / "my_export"))
        write_yml(export / "inference.yml", detectors_export(DETECTOR))
        with pytest.raises(ModelError, match=r"is of a model for text detection, and paddleocr\.TextRecognition runs"):
            load_paddlex_pipeline(model_dir=export, api="TextRecognition")
