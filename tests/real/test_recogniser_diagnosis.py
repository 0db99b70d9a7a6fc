"""The causes of a recogniser's differences, found on PaddleOCR's and paddleocr's own code; and what comes near them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from paths import EXAMPLE

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Recognition
from real.blob import edited, write_yml
from real.deployments import example_reader
from real.lines import HEIGHT, LETTERS, YML, Line, Reader, export_yml, line, transforms, write_dictionary
from real.test_recognisers import WIDE, trained
from real.test_recognisers import deployed as deployed_with

Save = Callable[..., Path]
DRAWN = "1002 7"


PLAIN = {"enable_mkldnn": False}
"""oneDNN rounds otherwise, which shows where this steep network sees the edge of a squeezed letter."""


def deployed(
    reader: Reader, folder: Path, yml: dict[str, Any] | None = None, options: dict[str, Any] | None = None
) -> DeployedRecogniser:
    return deployed_with(reader, folder, yml, options={**PLAIN, **(options or {})})


@pytest.fixture(scope="module")
def deployed_reader(reader: Reader) -> DeployedRecogniser:
    side = load_paddlex_pipeline(model_dir=reader.export, options=PLAIN)
    assert isinstance(side, DeployedRecogniser)
    return side


@pytest.fixture
def image(save: Save) -> Path:
    return save("line.png", line(DRAWN, coloured=True))


def found_in(reference: Any, candidate: Any, image: Any) -> list[Diagnosis]:
    return list(diagnose(reference=reference.trace(image), candidate=candidate.trace(image), tolerance=BUILT_IN))


def only(reference: Any, candidate: Any, image: Any) -> Diagnosis:
    (found,) = found_in(reference, candidate, image)
    return found


def resized(**arguments: Any) -> dict[str, Any]:
    """Return the training yml with other arguments of its resize."""
    return edited(YML, Eval__dataset__transforms=transforms(RecResizeImg={"image_shape": [3, 48, 320], **arguments}))


class TestDictionaries:
    @pytest.mark.parametrize(
        ("letters", "told"),
        [
            (LETTERS[::-1], "the dictionary of inference is another: it is train's in reverse"),
            (f"{LETTERS[1:]}0", "line 1, '0', stands in line "),
            (
                f"{LETTERS[:5]}x{LETTERS[5:]}",
                "line 6, 'x', is inserted, so that from line 6 on every character is its ",
            ),
            (f"102{LETTERS[3:]}", "in another order, from line 1 on (2 lines differ)"),
        ],
    )
    def test_another_list(
        self,
        reader: Reader,
        trained_reader: TrainedRecogniser,
        tmp_path: Path,
        image: Path,
        letters: str,
        told: str,
    ) -> None:
        found = only(trained_reader, deployed(reader, tmp_path, export_yml(YML, letters)), image)
        assert (found.stage, found.cause) == ("text", "text.dictionary")
        assert told in found.summary
        assert found.evidence[0].startswith("given train's map, inference's decoder reads ")
        assert found.fix is not None and found.fix.text.endswith("in PostProcess.character_dict of inference.yml")

    def test_none_at_all(self, tmp_path: Path, save: Save) -> None:
        from real.lines import write_reader

        letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        own = write_reader(tmp_path / "own", letters, classes=37)
        reference = trained(own, tmp_path, edited(YML, Global__use_space_char=False))
        candidate = deployed(own, tmp_path, edited(export_yml(YML), PostProcess={"name": "CTCLabelDecode"}))
        found = only(reference, candidate, save("letters.png", line("ab0", letters=letters)))
        assert found.cause == "text.dictionary"
        assert found.evidence[1] == "the YAML file of inference holds no character_dict: paddlex takes 0-9 and a-z then"

    def test_the_path_decides_the_order(self, reader: Reader, deployed_reader: DeployedRecogniser, image: Path) -> None:
        write_dictionary(reader.config.parent / "arabic_dict.txt", "אבגדהוזחטי")
        write_dictionary(reader.config.parent / "dict_he.txt", "אבגדהוזחטי")
        folder = reader.config.parent / "direction"
        folder.mkdir(exist_ok=True)
        one = trained(reader, folder, edited(YML, Global__character_dict_path="dict_he.txt"))
        two = deployed(reader, folder, export_yml(YML, "אבגדהוזחטי"))
        assert found_in(one, two, image) == []
        reverses = trained(reader, folder, edited(YML, Global__character_dict_path="arabic_dict.txt"))
        found = only(reverses, two, image)
        assert (found.stage, found.cause) == ("text", "text.direction")
        assert found.summary == "inference returns the characters of a text as it is read, train pred_reverse"

    @pytest.mark.parametrize(
        "change", [str.strip, str.upper, lambda text: text.replace(" ", ""), lambda text: text[:-1]]
    )
    def test_what_a_deployment_does_to_texts_is_no_list(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, save: Save, change: Any
    ) -> None:
        side = deployed(reader, tmp_path)
        read = side.read_map

        def changed(probability_map: Any) -> Recognition:
            own = read(probability_map)
            return Recognition(change(own.text), own.score)

        side.read_map = changed  # type: ignore[method-assign]
        picture = save("spaces.png", line("10 7 ", coloured=True))
        found = found_in(trained_reader, side, picture)
        assert [each.cause for each in found] == ([] if change is str.upper else [UNKNOWN])


class TestSizes:
    def test_the_evaluation_squeezes(
        self, reader: Reader, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, save: Save
    ) -> None:
        picture = save("wide.png", line(WIDE, coloured=True))
        found = only(trained_reader, deployed_reader, picture)
        assert (found.stage, found.cause) == ("resize", "resize.width")
        assert found.evidence == (
            "320 of 320 columns, 48 px high, in train, 648 of 648 columns, 48 px high, in inference; resized to 648x48 "
            "by train's own code, the line is inference's, pixel by pixel",
            "with eval_mode, train's tensor is inference's, bit for bit",
        )
        assert found.fix is not None
        as_deployed = trained(reader, reader.config.parent / "fixed", resized(eval_mode=True))
        assert found_in(as_deployed, deployed_reader, picture) == []

    def test_a_short_line_shows_none(
        self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser, image: Path
    ) -> None:
        assert found_in(trained_reader, deployed_reader, image) == []

    def test_input_shape(self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path) -> None:
        found = only(trained_reader, deployed(reader, tmp_path, options={"input_shape": [3, 48, 320]}), image)
        assert (found.stage, found.cause) == ("resize", "resize.input_shape")
        assert found.fix is not None and found.fix.text.startswith("take input_shape out of the arguments of ")

    def test_a_stretching_evaluation(
        self, reader: Reader, deployed_reader: DeployedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        ops = transforms()
        ops[2] = {"SVTRRecResizeImg": {"image_shape": [3, 48, 320], "padding": False}}
        one = trained(reader, tmp_path, edited(YML, Eval__dataset__transforms=ops))
        found = only(one, deployed_reader, image)
        assert (found.stage, found.cause) == ("resize", "resize.stretch")
        assert found.fix is not None and "input_shape=[3, 48, 320]" in found.fix.text
        fixed = deployed(reader, tmp_path, options={"input_shape": [3, 48, 320]})
        assert found_in(one, fixed, image) == []

    def test_another_base_width(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        ops = transforms(RecResizeImg={"image_shape": [3, 48, 480]})
        side = deployed(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=ops))
        found = only(trained_reader, side, image)
        assert (found.stage, found.cause) == ("resize", "resize.width")
        assert found.fix is not None and "image_shape: [3, 48, 320]" in found.fix.text

    def test_the_widest_that_paddlex_takes(
        self, reader: Reader, deployed_reader: DeployedRecogniser, tmp_path: Path, save: Save
    ) -> None:
        wide = np.ascontiguousarray(np.tile(line("10", coloured=True), (1, 30, 1)))
        picture = save("widest.png", wide)
        as_deployed = trained(reader, tmp_path, resized(eval_mode=True))
        found = only(as_deployed, deployed_reader, picture)
        assert (found.stage, found.cause) == ("resize", "resize.max_width")
        assert found.summary == "inference squeezes lines that are wider than 3200 px"

    def test_rgb(self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path) -> None:
        side = deployed(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=transforms()[1:]))
        found = only(trained_reader, side, image)
        assert (found.stage, found.cause) == ("decode", "decode.channel_order")
        assert found.fix is not None and "DecodeImage" in found.fix.text

    def test_rgb_and_the_width(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, save: Save
    ) -> None:
        side = deployed(reader, tmp_path, edited(export_yml(YML), PreProcess__transform_ops=transforms()[1:]))
        found = found_in(trained_reader, side, save("wide.png", line(WIDE, coloured=True)))
        assert [each.cause for each in found] == ["decode.channel_order", "resize.width"]

    @pytest.mark.parametrize(
        ("change", "cause"),
        [
            (lambda t, content: np.where(np.arange(t.shape[3]) < content, t, np.float32(-1)), "tensor.padding_value"),
            (lambda t, content: np.where(np.arange(t.shape[3]) < content, t * 0.5 + 0.5, t), "normalize.mean_std"),
            (lambda t, content: np.where(np.arange(t.shape[3]) < content - 1, t, np.float32(0)), UNKNOWN),
        ],
    )
    def test_numbers_of_a_port(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, save: Save, change: Any, cause: str
    ) -> None:
        side = deployed(reader, tmp_path)
        own = side.preprocess

        def changed(image: Any) -> Any:
            trace = own(image)
            tensor = change(trace.tensor, trace.parameters["resize"]["content_width"])
            return replace(trace, tensor=np.ascontiguousarray(tensor, np.float32))

        side.preprocess = changed  # type: ignore[method-assign]
        noise = np.random.default_rng(4).integers(-6, 7, line(DRAWN).shape)
        picture = save("noisy.png", np.clip(line(DRAWN, coloured=True) + noise, 0, 255).astype(np.uint8))
        found = found_in(trained_reader, side, picture)
        assert [(each.stage, each.cause) for each in found] == [("tensor", cause)]


def exported(
    reader: Reader, folder: Path, change: Callable[[Any], None], *, trains: bool = False
) -> DeployedRecogniser:
    """Export the network after a change, in training mode if asked for."""
    export = Path(shutil.copytree(reader.export, folder / "changed"))
    with isolated():
        import paddle

        from real.line_net import LineNet

        network = LineNet(len(LETTERS) + 2)
        network.set_state_dict(paddle.load(str(reader.checkpoint)))
        network.train() if trains else network.eval()
        change(network)
        spec = [paddle.static.InputSpec([None, 3, HEIGHT, -1], "float32")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(export / "inference"))
    side = load_paddlex_pipeline(model_dir=export, options=PLAIN)
    assert isinstance(side, DeployedRecogniser)
    return side


class TestNetworks:
    def test_logits(self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path) -> None:
        found = only(trained_reader, exported(reader, tmp_path, lambda network: None, trains=True), image)
        assert (found.stage, found.cause) == ("probability_map", "network.softmax")

    def test_other_weights(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        side = exported(reader, tmp_path, lambda network: network.head.bias.set_value(network.head.bias * 0.9))
        found = only(trained_reader, side, image)
        assert (found.stage, found.cause) == ("probability_map", "network.weights")
        assert "head.bias" in found.evidence[1]

    def test_another_checkpoint_beside_it(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        import paddle

        def change(network: Any) -> None:
            network.head.bias.set_value(network.head.bias * 0.9)
            paddle.save(network.state_dict(), str(reader.checkpoint.parent / "latest.pdparams"))

        side = exported(reader, tmp_path, change)
        try:
            found = only(trained_reader, side, image)
        finally:
            (reader.checkpoint.parent / "latest.pdparams").unlink()
        assert (found.stage, found.cause) == ("probability_map", "network.weights.other_checkpoint")
        assert "latest" in found.summary

    def test_half_precision(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        def change(network: Any) -> None:
            for value in network.parameters():
                value.set_value(value.astype("float16").astype("float32"))

        found = only(trained_reader, exported(reader, tmp_path, change), image)
        assert (found.stage, found.cause) == ("probability_map", "precision.fp16")

    def test_other_weights_and_another_dictionary(
        self, reader: Reader, trained_reader: TrainedRecogniser, tmp_path: Path, image: Path
    ) -> None:
        side = exported(reader, tmp_path, lambda network: network.head.bias.set_value(network.head.bias * 0.9))
        write_yml(side.model_dir / "inference.yml", export_yml(YML, LETTERS[::-1]))
        both = load_paddlex_pipeline(model_dir=side.model_dir, options=PLAIN)
        found = found_in(trained_reader, both, image)
        assert [each.cause for each in found] == ["network.weights", "text.dictionary"]


def test_a_line_of_arrays_is_diagnosed_too(
    trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser
) -> None:
    drawn: Line = line(WIDE, coloured=True)
    assert only(trained_reader, deployed_reader, drawn).cause == "resize.width"


@pytest.fixture(scope="module", name="example_reader")
def read_by_the_example() -> TrainedRecogniser:
    return example_reader()


class TestTheExample:
    """The example's recogniser, which was trained."""

    def deployed(self, folder: Path, change: Callable[[Any], None], **options: Any) -> Any:
        export = Path(shutil.copytree(EXAMPLE / "inference_rec", folder / "inference"))
        yml = yaml.safe_load((export / "inference.yml").read_text(encoding="utf-8"))
        change(yml)
        write_yml(export / "inference.yml", yml)
        return load_paddlex_pipeline(model_dir=export, options={**PLAIN, **options})

    @pytest.mark.parametrize("name", ["price", "doubled", "spaces"])
    def test_another_order_of_the_dictionary(
        self, example_reader: TrainedRecogniser, tmp_path: Path, name: str
    ) -> None:
        side = self.deployed(
            tmp_path, lambda yml: yml["PostProcess"]["character_dict"].sort(key=lambda c: (c > "9", c))
        )
        assert tuple(side.characters) != tuple(example_reader.characters)
        found = only(example_reader, side, EXAMPLE / "lines" / f"{name}.png")
        assert (found.stage, found.cause) == ("text", "text.dictionary")
        right = self.deployed(tmp_path / "right", lambda yml: None)
        assert found_in(example_reader, right, EXAMPLE / "lines" / f"{name}.png") == []

    def test_another_height(self, example_reader: TrainedRecogniser, tmp_path: Path) -> None:
        def change(yml: Any) -> None:
            for entry in yml["PreProcess"]["transform_ops"]:
                if "RecResizeImg" in entry:
                    entry["RecResizeImg"]["image_shape"][1] += 16

        found = found_in(example_reader, self.deployed(tmp_path, change), EXAMPLE / "lines" / "price.png")
        assert [(each.stage, each.cause) for each in found] == [("resize", "resize.height")]
        assert found[0].fix is not None and "image_shape" in found[0].fix.text

    @pytest.mark.parametrize(("name", "causes"), [("short", ["resize.input_shape"]), ("blank", ["resize.input_shape"])])
    def test_input_shape(self, example_reader: TrainedRecogniser, tmp_path: Path, name: str, causes: list[str]) -> None:
        shape = list(example_reader.parameters["resize"]["image_shape"])
        side = self.deployed(tmp_path, lambda yml: None, input_shape=shape)
        found = found_in(example_reader, side, EXAMPLE / "lines" / f"{name}.png")
        assert [each.cause for each in found] == causes

    def test_each_wide_line_is_squeezed_by_an_evaluation_without_eval_mode(self, tmp_path: Path) -> None:
        yml = yaml.safe_load((EXAMPLE / "configs" / "tiny_rec.yml").read_text(encoding="utf-8"))
        yml["Global"]["character_dict_path"] = str(EXAMPLE / "configs" / "tiny_rec_dict.txt")
        for entry in yml["Eval"]["dataset"]["transforms"]:
            entry.get("RecResizeImg", {}).pop("eval_mode", None)
        squeezes, side = example_reader(write_yml(tmp_path / "rec.yml", yml)), self.deployed(tmp_path, lambda yml: None)
        named = {}
        for path in sorted((EXAMPLE / "lines").glob("*.png")):
            one, two = squeezes.trace(path), side.trace(path)
            assert one.tensor is not None and two.tensor is not None
            found = [each.cause for each in diagnose(reference=one, candidate=two, tolerance=BUILT_IN)]
            assert found == (["resize.width"] if one.tensor.shape != two.tensor.shape else []), path
            named[path.stem] = found
        assert named["wide_invoice"] and named["wide_receipt"] and not named["price"]
