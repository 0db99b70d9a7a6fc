"""Both sides of a recogniser give what PaddleOCR and paddleocr give, and record what they really ran."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import (
    DifferenceError,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.artifacts.model_files import fingerprint_training_files
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.contract import Recogniser, offered
from pytest_ocrparity.errors import ImageError
from pytest_ocrparity.trace import Recognition, Trace
from real.blob import edited, operators_root, write_yml
from real.features import IS_PADDLEX_3_1
from real.lines import LETTERS, YML, Line, Reader, export_yml, line, transforms, write_dictionary

Save = Callable[..., Path]

TEXTS = ("7", "1002", "00 7", "3388 1")
WIDE = "1234567890 12"
RULE = {"rule": "squeezed", "image_shape": [3, 48, 320], "max_width": None}
FREE = {"rule": "as wide as the line", "image_shape": [3, 48, 320]}


def trained(reader: Reader, folder: Path, yml: dict[str, Any], **settings: Any) -> TrainedRecogniser:
    """Load the train side under another yml, which lies beside its own dictionary."""
    config = write_yml(reader.config.parent / f"{folder.name}.yml", yml)
    side = load_ppocr_pipeline(**{**reader.train, "config": config, **settings})
    assert isinstance(side, TrainedRecogniser)
    return side


def deployed(reader: Reader, folder: Path, yml: dict[str, Any] | None = None, **settings: Any) -> DeployedRecogniser:
    """Load the deployed side under another inference.yml."""
    export = reader.export
    if yml is not None:
        export = Path(shutil.copytree(reader.export, folder / "inference"))
        write_yml(export / "inference.yml", yml)
    side = load_paddlex_pipeline(model_dir=export, **settings)
    assert isinstance(side, DeployedRecogniser)
    return side


def text(trace: Trace) -> str:
    assert trace.error is None and trace.recognition is not None, trace.error
    return trace.recognition.text


def sizes(trace: Trace) -> tuple[int, int, int]:
    resize = trace.parameters["resize"]
    return resize["height"], resize["content_width"], resize["width"]


@pytest.mark.parametrize("height", [48, 24])
@pytest.mark.parametrize("drawn", TEXTS)
def test_both_sides_agree(
    trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, drawn: str, height: int
) -> None:
    image = line(drawn, height=height, coloured=True)
    one, two = trained_reader.trace(image), deployed_reader.trace(image)
    assert one.stages == two.stages == ("decode", "resize", "tensor", "probability_map", "text")
    assert one.task.name == two.task.name == "recognition"
    assert one.decode == two.decode
    np.testing.assert_array_equal(one.resize, two.resize)
    np.testing.assert_array_equal(one.tensor, two.tensor)
    assert one.probability_map is not None and two.probability_map is not None
    assert one.probability_map.shape == two.probability_map.shape == (1, 40, 12)
    assert np.abs(one.probability_map - two.probability_map).max() < 1e-3
    assert one.recognition is not None and two.recognition is not None
    assert one.recognition.text == two.recognition.text == drawn
    assert one.recognition.score is not None and one.recognition.score == pytest.approx(two.recognition.score, abs=1e-3)
    assert sizes(one) == sizes(two) == (48, min(320, -(-48 * image.shape[1] // height)), 320)
    assert one.parameters["text"] == two.parameters["text"]
    assert one.parameters["decode"] == two.parameters["decode"] == {"img_mode": "BGR", "ignore_orientation": False}


def test_equals_what_tools_eval_does(reader: Reader, trained_reader: TrainedRecogniser, save: Save) -> None:
    image = save("line.png", line(WIDE, coloured=True))
    with isolated_checkout(operators_root()):
        import paddle
        from ppocr.data import create_operators, transform
        from ppocr.postprocess import build_post_process

        from real.line_net import LineNet

        config = copy.deepcopy(YML)
        config["Global"]["character_dict_path"] = str(reader.config.parent / "dict.txt")
        decoder = build_post_process(config["PostProcess"], config["Global"])
        network = LineNet(len(decoder.character))
        network.set_state_dict(paddle.load(str(reader.checkpoint)))
        network.eval()
        kept = [op for op in config["Eval"]["dataset"]["transforms"] if "Label" not in next(iter(op))]
        kept[-1]["KeepKeys"]["keep_keys"] = ["image"]
        (tensor,) = transform({"image": image.read_bytes()}, create_operators(kept, config["Global"]))
        with paddle.no_grad():
            output = network(paddle.to_tensor(tensor[None]))
        ((expected, score),) = decoder(output)
    trace = trained_reader.trace(image)
    np.testing.assert_array_equal(trace.tensor, tensor[None])
    np.testing.assert_array_equal(trace.probability_map, output.numpy())
    assert trace.recognition == Recognition(expected, score)
    assert sizes(trace) == (48, 320, 320)


@pytest.mark.parametrize(
    ("options", "predict_options"),
    [
        ({}, {}),
        ({"input_shape": [3, 48, 320]}, {"batch_size": 6}),
        pytest.param(
            *({"enable_mkldnn": False}, {"return_word_box": True}),
            marks=pytest.mark.skipif(IS_PADDLEX_3_1, reason="it has no boxes of words"),
        ),
    ],
    ids=["plain", "input-shape", "word-boxes"],
)
@pytest.mark.parametrize("drawn", ["1002", WIDE])
def test_equals_a_plain_text_recognition(
    reader: Reader, save: Save, tmp_path: Path, options: dict[str, Any], predict_options: dict[str, Any], drawn: str
) -> None:
    image = save("line.png", line(drawn))
    with isolated():
        from paddleocr import TextRecognition

        plain = TextRecognition(model_name="PP-OCRv5_mobile_rec", model_dir=str(reader.export), **options)
        (result,) = plain.predict(str(image), **predict_options)
    expected = result["rec_text"][0] if predict_options.get("return_word_box") else result["rec_text"]
    trace = deployed(reader, tmp_path, options=options, predict_options=predict_options).trace(image)
    assert trace.recognition == Recognition(expected, result["rec_score"])


class TestWidths:
    """What became of a line is recorded, and the rule by what ran."""

    def test_the_evaluation_squeezes_what_the_deployment_does_not(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser
    ) -> None:
        one, two = trained_reader.trace(line(WIDE)), deployed_reader.trace(line(WIDE))
        assert (sizes(one), sizes(two)) == ((48, 320, 320), (48, 648, 648))
        assert one.resize is not None and two.resize is not None
        assert (one.resize.shape, two.resize.shape) == ((48, 320, 3), (48, 648, 3))
        assert one.parameters["resize"].items() >= RULE.items()
        assert two.parameters["resize"].items() >= {**FREE, "max_width": 3200}.items()
        assert text(two) == WIDE != text(one)

    @pytest.mark.parametrize("where", ["the operator", "Global"])
    def test_with_eval_mode_the_tensors_are_equal(
        self, reader: Reader, deployed_reader: DeployedRecogniser, tmp_path: Path, where: str
    ) -> None:
        resize = {"image_shape": [3, 48, 320], "eval_mode": where == "the operator"}
        yml = edited(
            YML, Eval__dataset__transforms=transforms(RecResizeImg=resize), Global__infer_mode=where == "Global"
        )
        side = trained(reader, tmp_path, yml)
        for height in (48, 37, 20):
            image = np.ascontiguousarray(line(WIDE, height=height)[:, 3:-2])
            one, two = side.trace(image), deployed_reader.trace(image)
            np.testing.assert_array_equal(one.tensor, two.tensor)
            assert (
                sizes(one) == sizes(two) == (48, int(48 * image.shape[1] / height), int(48 * image.shape[1] / height))
            )
            assert text(one) == text(two)
        assert one.parameters["resize"].items() >= FREE.items()
        assert side.leaked() == ({"infer_mode": "resize"} if where == "Global" else {})
        assert side.without_leak().parameters["resize"]["rule"] == (RULE if where == "Global" else FREE)["rule"]

    def test_input_shape_stretches(self, reader: Reader, deployed_reader: DeployedRecogniser, tmp_path: Path) -> None:
        side = deployed(reader, tmp_path, options={"input_shape": [3, 48, 320]})
        trace = side.trace(line("1002"))
        assert sizes(trace) == (48, 320, 320) and sizes(deployed_reader.trace(line("1002"))) == (48, 216, 320)
        expected = {"rule": "stretched", "image_shape": [3, 48, 320], "input_shape": [3, 48, 320]}
        assert trace.parameters["resize"].items() >= expected.items()
        assert side.given == {"resize": {"input_shape": "inference.options"}}
        fix = side.parameter_fix("resize", {"input_shape": None}).text
        assert fix == "take input_shape out of the arguments of paddleocr.TextRecognition, and out of inference.options"
        without = side.varied({"resize": {"input_shape": None}})
        np.testing.assert_array_equal(without.trace(line("1002")).tensor, deployed_reader.trace(line("1002")).tensor)
        assert without.parameters["resize"]["rule"] == "as wide as the line"

    @pytest.mark.parametrize(("padding", "rule"), [(False, "stretched"), (True, "squeezed")])
    def test_the_resize_of_svtr(self, reader: Reader, tmp_path: Path, padding: bool, rule: str) -> None:
        ops = transforms()
        ops[2] = {"SVTRRecResizeImg": {"image_shape": [3, 48, 320], "padding": padding}}
        one = trained(reader, tmp_path, edited(YML, Eval__dataset__transforms=ops)).trace(line("1002"))
        assert one.parameters["resize"]["rule"] == rule
        assert sizes(one) == (48, 216 if padding else 320, 320)
        two = deployed(reader, tmp_path, options={} if padding else {"input_shape": [3, 48, 320]}).trace(line("1002"))
        assert one.tensor is not None and two.tensor is not None
        np.testing.assert_allclose(one.tensor, two.tensor, rtol=0, atol=2e-6)

    def test_what_paddlex_squeezes_itself(self, deployed_reader: DeployedRecogniser) -> None:
        assert sizes(deployed_reader.trace(np.full((10, 700, 3), 128, np.uint8))) == (48, 3200, 3200)
        assert sizes(deployed_reader.trace(np.full((10, 660, 3), 128, np.uint8))) == (48, 3168, 3168)

    def test_parameters_of_no_image_hold_no_width(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser
    ) -> None:
        deployed_reader.trace(line(WIDE))
        for side in (trained_reader, deployed_reader):
            own = {name: values for name, values in side.parameters.items() if name != "probability_map"}
            assert own["resize"].keys() == {"rule", "image_shape", "max_width"}
            trace = side.trace(line("7"))
            assert all(trace.parameters[name].items() >= values.items() for name, values in own.items())


class TestColours:
    def test_an_export_without_decode_image_reads_rgb(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path
    ) -> None:
        side = deployed(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=transforms()[1:]))
        image = line("1002", coloured=True)
        one, two = trained_reader.trace(image), side.trace(image)
        assert two.parameters["decode"]["img_mode"] == "RGB"
        assert one.tensor is not None and two.tensor is not None
        assert np.abs(one.tensor - two.tensor).max() > 0.1
        np.testing.assert_array_equal(one.tensor, two.tensor[:, ::-1])
        as_trained = side.varied({"decode": {"img_mode": "BGR"}}).trace(image)
        np.testing.assert_array_equal(one.tensor, as_trained.tensor)

    def test_a_grey_line_hides_it(self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path) -> None:
        side = deployed(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=transforms()[1:]))
        np.testing.assert_array_equal(trained_reader.trace(line("1002")).tensor, side.trace(line("1002")).tensor)


class TestDictionaries:
    def test_another_one_of_that_length_reads_otherwise_at_the_same_score(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path
    ) -> None:
        side = deployed(reader, tmp_path, export_yml(YML, LETTERS[::-1]))
        one, two = trained_reader.trace(line("1002")), side.trace(line("1002"))
        assert (text(one), text(two)) == ("1002", "8997")
        assert one.recognition is not None and two.recognition is not None
        assert one.recognition.score == pytest.approx(two.recognition.score, abs=1e-3)
        assert one.probability_map is not None and two.probability_map is not None
        assert trained_reader.read_map(two.probability_map).text == "1002"
        assert side.read_map(one.probability_map).text == "8997"
        assert one.parameters["text"]["characters"] == two.parameters["text"]["characters"] == 11
        assert one.parameters["text"]["dictionary"] != two.parameters["text"]["dictionary"]
        assert side.characters == (*LETTERS[::-1], " ")
        assert trained_reader.characters == (*LETTERS, " ")

    def test_a_network_without_a_space(self, tmp_path: Path) -> None:
        from real.lines import write_reader

        reader = write_reader(tmp_path / "own", classes=11)
        one = trained(reader, tmp_path, edited(YML, Global__use_space_char=False))
        two = deployed(reader, tmp_path)
        assert one.characters == two.characters == tuple(LETTERS)
        assert one.parameters["text"] == two.parameters["text"]
        image = line("1002", letters=LETTERS)
        assert text(one.trace(image)) == text(two.trace(image)) == "1002"

    def test_the_default_one(self, tmp_path: Path) -> None:
        from real.lines import write_reader

        letters = f"{LETTERS}abcdefghijklmnopqrstuvwxyz"
        reader = write_reader(tmp_path / "own", letters, classes=37)
        one = trained(reader, tmp_path, edited(YML, Global__character_dict_path=None))
        two = deployed(reader, tmp_path, edited(export_yml(YML), PostProcess={"name": "CTCLabelDecode"}))
        assert one.characters == two.characters == tuple(letters)
        assert "dictionary" not in one.fingerprint

    def test_the_post_process_may_name_it(self, reader: Reader, tmp_path: Path) -> None:
        own = {"name": "CTCLabelDecode", "character_dict_path": "other.txt", "use_space_char": True}
        write_dictionary(reader.config.parent / "other.txt", LETTERS[::-1])
        changed = edited(YML, PostProcess=own)
        assert trained(reader, tmp_path, changed).characters == (*LETTERS, " ")  # Global has the last word
        left_out = edited(changed, Global__character_dict_path=None, Global__use_space_char=None)
        assert trained(reader, tmp_path, left_out).characters == (*LETTERS[::-1], " ")

    @pytest.mark.parametrize(("written", "reorders"), [("arabic_dict.txt", "pred_reverse"), ("dict.txt", None)])
    def test_the_path_as_it_is_written_decides_whether_texts_are_reversed(
        self, reader: Reader, tmp_path: Path, written: str, reorders: str | None
    ) -> None:
        folder = tmp_path / "arabic"  # where it was found decides nothing
        folder.mkdir()
        write_dictionary(folder / written, LETTERS)
        config = write_yml(folder / "my.yml", edited(YML, Global__character_dict_path=written))
        side = load_ppocr_pipeline(**{**reader.train, "config": config})
        assert side.parameters["text"]["reorders"] == reorders

    @pytest.mark.parametrize("name", ["arabic_PP-OCRv3_mobile_rec", "arabic_PP-OCRv5_mobile_rec", None])
    def test_the_name_of_a_deployed_model_decides_it_too(
        self, reader: Reader, tmp_path: Path, name: str | None
    ) -> None:
        yml = export_yml(YML)
        yml["Global"]["model_name"] = name or "PP-OCRv5_mobile_rec"
        if IS_PADDLEX_3_1 and name == "arabic_PP-OCRv5_mobile_rec":
            pytest.skip("it knows no such name")
        side = deployed(reader, tmp_path, yml)
        assert side.parameters["text"]["reorders"] == ("get_display" if name and not IS_PADDLEX_3_1 else None)
        assert ("get_display" in side.text_orders()) == (not IS_PADDLEX_3_1)


class TestVerdicts:
    def test_what_is_equal_passes(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, save: Save
    ) -> None:
        sides = [side.trace(save("line.png", line("1002"))) for side in (trained_reader, deployed_reader)]
        assert_same_preprocessing(*sides)
        assert_same_probability_maps(*sides)
        assert_same_text(*sides)

    def test_widths_and_texts_that_differ_fail(
        self, reader: Reader, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, tmp_path: Path
    ) -> None:
        with pytest.raises(DifferenceError, match="resize"):
            assert_same_preprocessing(trained_reader.trace(line(WIDE)), deployed_reader.trace(line(WIDE)))
        other = deployed(reader, tmp_path, export_yml(YML, LETTERS[::-1])).trace(line("1002"))
        assert_same_preprocessing(trained_reader.trace(line("1002")), other)
        assert_same_probability_maps(trained_reader.trace(line("1002")), other)
        with pytest.raises(
            DifferenceError,
            match=r"the dictionary of inference is another(?s:.*)reads '8997', where train reads '1002'",
        ):
            assert_same_text(trained_reader.trace(line("1002")), other)


class TestSides:
    def test_they_offer_what_the_contract_asks(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser
    ) -> None:
        for side in (trained_reader, deployed_reader):
            assert offered(side, Recogniser) is not None
            trace = side.preprocess(line("1002"))
            assert trace.tensor is not None and trace.recognition is None and trace.task.name == "recognition"
            probability_map = side.infer(np.array(trace.tensor))
            assert probability_map.shape == (1, 40, 12)
            assert side.read_map(probability_map).text == "1002"

    def test_an_empty_line(self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser) -> None:
        for side in (trained_reader, deployed_reader):
            assert side.trace(np.full((30, 90, 3), 128, np.uint8)).recognition == Recognition("", 0.0)

    def test_identities_and_fingerprints(
        self, reader: Reader, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser
    ) -> None:
        assert fingerprint_training_files(reader.config, reader.checkpoint) == trained_reader.fingerprint
        assert trained_reader.fingerprint.keys() == {"config", "checkpoint", "dictionary"}
        assert deployed_reader.identity["api"] == "paddleocr.TextRecognition"
        assert trained_reader.identity != deployed_reader.identity

    def test_another_dictionary_is_another_side(self, reader: Reader, tmp_path: Path) -> None:
        yml = edited(YML, Global__character_dict_path="again.txt")
        path = write_dictionary(reader.config.parent / "again.txt", LETTERS)
        one = trained(reader, tmp_path, yml)
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert trained(reader, tmp_path, yml).fingerprint == one.fingerprint
        write_dictionary(path, LETTERS[::-1])
        assert trained(reader, tmp_path, yml).fingerprint != one.fingerprint

    def test_an_array_gives_what_its_file_gives(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, save: Save
    ) -> None:
        image: Line = line("1002", coloured=True)
        for side in (trained_reader, deployed_reader):
            of_array, of_file = side.trace(image), side.trace(save("line.png", image))
            assert replace(of_array, image="", image_sha256=None) == replace(of_file, image="", image_sha256=None)

    def test_what_is_no_image(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, tmp_path: Path
    ) -> None:
        path = tmp_path / "line.png"
        path.write_text("no image")
        for side in (trained_reader, deployed_reader):
            with pytest.raises(ImageError, match=r"line\.png: .* cannot decode this file; is it an image\?"):
                side.trace(path)

    def test_what_an_experiment_cannot_change(self, deployed_reader: DeployedRecogniser) -> None:
        with pytest.raises(ValueError, match=r"paddlex's steps have nothing that sets rule of resize"):
            deployed_reader.varied({"resize": {"rule": "squeezed"}})
        with pytest.raises(ValueError, match=r"no option of paddleocr sets rule of resize"):
            deployed_reader.parameter_fix("resize", {"rule": "squeezed"})

    def test_an_object_that_production_builds(self, reader: Reader, tmp_path: Path) -> None:
        body = f'TextRecognition(model_name="PP-OCRv5_mobile_rec", model_dir={str(reader.export)!r}, device="cpu")'
        (tmp_path / "reading.py").write_text(
            f"from paddleocr import TextRecognition\n\ndef make():\n    return {body}\n"
        )
        side = load_paddlex_pipeline(factory="reading:make", folder=tmp_path)
        assert isinstance(side, DeployedRecogniser)
        assert text(side.trace(line(WIDE))) == WIDE
        assert side.identity["factory"] == "reading:make"
