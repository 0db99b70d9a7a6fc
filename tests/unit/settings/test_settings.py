"""The settings: what they may say, which wins, which error names which mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import settings_file

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import load_settings


class TestSettings:
    def load(self, folder: Path, text: str) -> dict[str, object]:
        path = folder / "ocrparity.toml"
        path.write_text(text)
        return {name: each.values for name, each in load_settings(path, {}, folder).candidates.items()}

    def test_what_one_leaves_out_is_the_inference_tables_but_for_the_tolerance(self, tmp_path: Path) -> None:
        path = tmp_path / "ocrparity.toml"
        path.write_text(
            """
            [inference]
            model_dir = "a"
            options = { limit_side_len = 736, device = "cpu" }
            tolerance = "int8"
            [candidates.fast]
            options = { device = "gpu" }
            [candidates.other]
            model_dir = "b"
            tolerance = "exact"
            """
        )
        found = load_settings(path, {}, tmp_path).candidates
        assert list(found) == ["inference", "fast", "other"]
        assert found["fast"].values == {"model_dir": tmp_path / "a", "options": {"device": "gpu"}}
        assert found["other"].values["options"] == {"limit_side_len": 736, "device": "cpu"}
        assert found["fast"].tolerance["detections.max_unmatched"].value == 0.0
        assert found["inference"].tolerance["detections.max_unmatched"].value == 0.06
        assert found["other"].tolerance["detections.max_shift"].value == 0.0
        assert found["other"].tolerance["detections.max_shift"].origin == f"exact preset, {path}: candidates.other"

    def test_candidates_alone_are_enough(self, tmp_path: Path) -> None:
        assert list(self.load(tmp_path, '[candidates.only]\nmodel_dir = "a"')) == ["only"]

    def test_an_only_candidate_takes_the_folder_of_the_command_line(self, tmp_path: Path) -> None:
        path = tmp_path / "ocrparity.toml"
        path.write_text('[candidates.only]\nmodel_dir = "a"\noptions = { device = "cpu" }\ntolerance = "int8"')
        settings = load_settings(path, {"ocr_inference_dir": "b"}, tmp_path)
        assert settings.candidates["only"].values == {"model_dir": tmp_path / "b", "options": {"device": "cpu"}}
        assert settings.tolerance["detections.max_unmatched"].value == 0.06  # an only candidate's is everybody's

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("candidates = 3", "candidates is a table, not 3"),
            ("[candidates]\nonnx = 3", r"candidates\.onnx is a table, not 3"),
            (
                "[candidates.inference]\n",
                "candidates: a side is called 'inference' already; give",
            ),
            ("[candidates.train]\n", "a side is called 'train' already"),
            ('[candidates.""]\n', "'' is no name that can be printed on a line"),
            ('[candidates."a\\nb"]\n', r"'a\\nb' is no name that can be printed on a line"),
            ("[candidates.onnx]\nmodel = 'x'", r"candidates\.onnx\.model is no setting; did you mean 'model_dir'"),
            ("[candidates.onnx]\noptions = 1", r"candidates\.onnx\.options is a table, not 1"),
            ("[candidates.onnx]\ntolerance = 1", r"candidates\.onnx\.tolerance is a preset's name or a table, not 1"),
            ("[candidates.onnx]\ntolerance = 'fp8'", r"candidates\.onnx: no tolerance preset 'fp8'"),
            ("[report]\npictures = 'some'", "report.pictures is one of failed, all, not 'some'"),
        ],
    )
    def test_a_mistake_is_named(self, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(SettingsError, match=told):
            self.load(tmp_path, text)


FULL = """
images = ["images/*.png"]
allow_empty = true

[golden]
dir = "baselines"
reference = "inference"

[train]
config = "configs/a.yml"
checkpoint = "best"
paddleocr_root = "../PaddleOCR"
network = "net:build"
device = "gpu:0"
sub_model = "Student"
trust_checkpoint = true

[inference]
model_dir = "export"
options = { limit_side_len = 736 }
predict_options = { max_side_limit = 9000 }
model_name = "PP-OCRv5_mobile_det"

[report]
dir = "pages"
github = "on"

[tolerance]
preset = "fp16"
detections = { min_iou = 0.8 }
"""


def test_every_key_arrives_and_paths_start_at_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    settings = load_settings(settings_file(folder, FULL), {}, tmp_path)
    assert settings.images == ((folder, "images/*.png"),)
    assert settings.allow_empty
    assert settings.golden_dir == folder / "baselines"
    assert settings.golden_reference == "inference"
    assert settings.train == {
        "config": folder / "configs/a.yml",
        "checkpoint": folder / "best",
        "paddleocr_root": tmp_path / "PaddleOCR",
        "network": "net:build",
        "network_folder": folder,
        "device": "gpu:0",
        "sub_model": "Student",
        "trust_checkpoint": True,
    }
    assert settings.candidates["inference"].values["options"] == {"limit_side_len": 736}
    assert settings.report_dir == folder / "pages"
    assert settings.github == "on"
    assert settings.tolerance["detections.min_iou"].value == 0.8
    assert settings.tolerance["detections.max_unmatched"].value == 0.02


def test_pyproject_holds_the_same_under_tool_ocrparity(tmp_path: Path) -> None:
    text = '[tool.ocrparity]\nimages = "a.png"\n[tool.ocrparity.golden]\ndir = "g"\n'
    settings = load_settings(settings_file(tmp_path, text, "pyproject.toml"), {}, tmp_path)
    assert settings.images == ((tmp_path, "a.png"),)
    assert settings.golden_dir == tmp_path / "g"


def test_the_command_line_wins_and_its_paths_start_where_it_was_typed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    options = {
        "ocr_images": ["x.png"],
        "ocr_train_config": "b.yml",
        "ocr_train_checkpoint": "b",
        "ocr_paddleocr_root": "P",
        "ocr_inference_dir": "e",
        "ocr_golden_dir": "g",
        "ocr_report": "r",
        "ocr_github": "off",
        "ocr_tolerance": ["detections.max_shift=3", "exact"],
    }
    settings = load_settings(settings_file(folder, FULL), options, tmp_path)
    assert settings.images == ((tmp_path, "x.png"),)
    assert settings.train["config"] == tmp_path / "b.yml"
    assert settings.train["checkpoint"] == tmp_path / "b"
    assert settings.train["paddleocr_root"] == tmp_path / "P"
    assert settings.candidates["inference"].values["model_dir"] == tmp_path / "e"
    assert settings.golden_dir == tmp_path / "g"
    assert settings.report_dir == tmp_path / "r"
    assert settings.github == "off"
    assert settings.tolerance["detections.max_shift"].value == 3
    assert settings.tolerance["detections.min_iou"].value == 1.0


def test_without_a_file_the_command_line_is_enough(tmp_path: Path) -> None:
    settings = load_settings(None, {"ocr_inference_dir": "export"}, tmp_path)
    assert settings.root == tmp_path
    assert settings.is_set
    assert not load_settings(None, {}, tmp_path).is_set


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", None),
        ("memory_limit = 1000", 1000),
        ("memory_limit = '4 GB'", 4 * 10**9),
        ("memory_limit = '1.5GiB'", 3 * 2**29),
        ("memory_limit = ' 20 mb '", 20 * 10**6),
    ],
)
def test_a_memory_limit_is_a_size(tmp_path: Path, text: str, size: int | None) -> None:
    assert load_settings(settings_file(tmp_path, text), {}, tmp_path).memory_limit == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image = []", "image is no setting; did you mean 'images'"),
        ("images = 3", "images is a list of globs, not 3"),
        ("images = ['']", "images is a list of globs"),
        ("images = ''", "images is a list of globs"),
        ("allow_empty = 1", "allow_empty is true or false, not 1"),
        ("diagnosis_seconds = -1", "diagnosis_seconds is a number from 0 up, not -1"),
        ("diagnosis_seconds = true", "diagnosis_seconds is a number from 0 up, not True"),
        ("memory_limit = -1", 'memory_limit is a size such as "4 GB", or a number of bytes, not -1'),
        ("memory_limit = true", 'memory_limit is a size such as "4 GB", or a number of bytes, not True'),
        ("memory_limit = '4 elephants'", 'memory_limit is a size such as "4 GB", "512 MiB" or a number, not'),
        ("memory_limit = '1" + "0" * 400 + " GB'", 'memory_limit is a size such as "4 GB", "512 MiB" or a number, not'),
        (f"images = ['images/{'x' * 300}.png']", "images has a name of 304 bytes, and no file's has more than 255"),
        (f"[inference]\nmodel_dir = '{'ä' * 200}/x'", "inference.model_dir has a name of 400 bytes"),
        ("golden = 3", "golden is a table, not 3"),
        ("[golden]\ndirectory = 'x'", "golden.directory is no setting; known: dir, reference"),
        ("[golden]\nreference = 'trian'", "golden.reference is one of train, inference, not 'trian'"),
        ("[train]\nconfg = 'x'", "train.confg is no setting; did you mean 'config'"),
        ("[train]\nconfig = 3", "train.config is a path, not 3"),
        ("[inference]\noptions = 'x'", "inference.options is a table, not 'x'"),
        ("[tolerance]\npreset = 'fp8'", "no tolerance preset 'fp8'"),
        ("images = [", "not valid TOML"),
        ("images = " + "[" * 2000, "not valid TOML: (maximum recursion|.*nested more than)"),
        ("diagnosis_seconds = " + "9" * 5000, "not valid TOML: Exceeds the limit"),
        ("diagnosis_seconds = 0x" + "f" * 5000, "has a number of 20000 bits"),
        ("images = ['a\\u0000.png']".replace("'", '"'), r"has a text with a NUL, 'a\\x00\.png'"),
        ("[inference.options" + ".a" * 60 + "]", "has tables in tables, more than 50 deep"),
        ("[tool.ocrparity]", "in an ocrparity.toml the keys stand at the top level"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    path = settings_file(tmp_path, text)
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(path, {}, tmp_path)
    assert str(path) in str(error.value)


def test_a_tolerance_may_be_a_presets_name(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, "tolerance = 'fp16'"), {}, tmp_path)
    assert settings.tolerance["detections.max_unmatched"].value == 0.02


def test_the_home_of_a_user_who_is_not_known_is_a_folder_like_others(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, "[golden]\ndir = '~nobody_at_all/x'"), {}, tmp_path)
    assert settings.golden_dir == tmp_path / "~nobody_at_all" / "x"


def test_a_mode_without_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--ocr-golden-mode=all records nothing without --ocr-golden"):
        load_settings(None, {"ocr_golden_mode": "all"}, tmp_path)
    assert load_settings(None, {"ocr_golden": True}, tmp_path).golden_mode == "missing"
    assert load_settings(None, {"ocr_golden": True, "ocr_golden_mode": "all"}, tmp_path).golden_mode == "all"


def test_recording_from_the_train_model_needs_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--ocr-golden with --ocr-no-train"):
        load_settings(None, {"ocr_golden": True, "ocr_no_train": True}, tmp_path)


class TestImages:
    def test_globs_and_folders_are_sorted_and_counted_once(self, tmp_path: Path) -> None:
        for name in ("b.png", "a.PNG", "note.txt", "deep/c.jpg"):
            path = tmp_path / "images" / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.touch()
        settings = load_settings(None, {"ocr_images": ["images/*.png", "images"]}, tmp_path)
        assert [settings.image_name(path) for path in settings.image_paths()] == [
            "images/b.png",
            "images/a.PNG",
            "images/deep/c.jpg",
        ]

    def test_an_absolute_glob_and_one_that_leaves_the_folder_work(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").touch()
        inner = tmp_path / "inner"
        inner.mkdir()
        for pattern in ("../*.png", str(tmp_path / "*.png")):
            settings = load_settings(None, {"ocr_images": [pattern]}, inner)
            assert settings.image_paths() == [tmp_path / "a.png"]
            assert settings.image_name(tmp_path / "a.png") == "../a.png"

    def test_no_image_has_a_sentence(self, tmp_path: Path) -> None:
        assert "sets none; set `images`" in load_settings(None, {}, tmp_path).no_image()
        assert "matches no file" in load_settings(None, {"ocr_images": ["*.png"]}, tmp_path).no_image()


class TestRecognition:
    """The table of recognisers in a project of both tasks."""

    TEXT = """
        images = ["pages/*.png"]
        memory_limit = "1 GB"
        tolerance = "fp16"
        [inference]
        model_dir = "detector"
        [recognition]
        images = "lines"
        tolerance = { text = { max_changed = 0.5 } }
        [recognition.train]
        config = "rec.yml"
        network = "mine:build"
        [recognition.inference]
        model_dir = "recogniser"
        options = { device = "cpu" }
        [recognition.candidates.fast]
        tolerance = "int8"
        """

    def test_it_has_its_own_images_models_and_limits(self, tmp_path: Path) -> None:
        path = settings_file(tmp_path, self.TEXT)
        found = load_settings(path, {}, tmp_path)
        lines = found.of_task("recognition")
        assert lines is found.recognition is not None and found.of_task("detection") is found
        assert lines.images == ((tmp_path, "lines"),) and found.images == ((tmp_path, "pages/*.png"),)
        assert lines.train == {"config": tmp_path / "rec.yml", "network": "mine:build", "network_folder": tmp_path}
        assert found.train == {} and list(found.candidates) == ["inference"]
        assert list(lines.candidates) == ["inference", "fast"]
        fast = lines.candidates["fast"]
        assert fast.values == {"model_dir": tmp_path / "recogniser", "options": {"device": "cpu"}}
        limits = [each.tolerance["text.max_changed"].value for each in (found, lines, fast)]
        assert limits == [0.02, 0.5, 0.1]
        assert lines.tolerance["detections.max_unmatched"].value == 0.02  # of the tolerance above
        assert fast.tolerance["text.max_changed"].origin == f"int8 preset, {path}: recognition.candidates.fast"
        assert lines.memory_limit == found.memory_limit and lines.golden_dir == found.golden_dir

    def test_the_command_line_names_the_detectors(self, tmp_path: Path) -> None:
        options = {"ocr_images": ["x.png"], "ocr_inference_dir": "y", "ocr_tolerance": ["text.max_cer=0.25"]}
        found = load_settings(settings_file(tmp_path, self.TEXT), options, tmp_path)
        lines = found.of_task("recognition")
        assert found.images == ((tmp_path, "x.png"),) and lines.images == ((tmp_path, "lines"),)
        assert lines.candidates["inference"].values["model_dir"] == tmp_path / "recogniser"
        assert lines.tolerance["text.max_cer"].value == 0.25

    def test_without_it_all_tests_have_one_table(self, tmp_path: Path) -> None:
        found = load_settings(settings_file(tmp_path, 'images = "pages"\n[recognition]\n'), {}, tmp_path)
        assert found.recognition is None and found.of_task("recognition") is found and found.parts == (found,)

    def test_messages_name_its_settings(self, tmp_path: Path) -> None:
        lines = load_settings(settings_file(tmp_path, self.TEXT), {}, tmp_path).of_task("recognition")
        text = "inference.yml: set inference.model_name, or train.config; recognition.train.config stays"
        assert lines.as_typed(text) == (
            "inference.yml: set recognition.inference.model_name, or recognition.train.config; "
            "recognition.train.config stays"
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[recognition]\nimage = 'x'", r"recognition\.image is no setting; did you mean 'images'\?"),
            ("[recognition]\nimages = 3", r"recognition\.images is a list of globs, not 3"),
            ("[recognition.train]\nconfig = 3", r"recognition\.train\.config is a path, not 3"),
            (
                "[recognition.inference]\nmodle_dir = 'x'",
                r"recognition\.inference\.modle_dir is no setting; did you mean",
            ),
            ("[recognition.candidates.train]\n", r"recognition\.candidates: a side is called 'train' already"),
            ("[recognition.candidates.a]\napi = 'X'", r"recognition\.candidates\.a\.api is one of "),
            ("[recognition]\ntolerance = 'fp8'", r"recognition: no tolerance preset 'fp8'"),
            ("[recognition.tolerance.text]\nmax_cre = 1", r"recognition: text has no limit 'max_cre'; did you mean"),
            ("recognition = 3", r"recognition is a table, not 3"),
        ],
    )
    def test_what_means_nothing_is_named_with_its_table(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(SettingsError, match=message):
            load_settings(settings_file(tmp_path, text), {}, tmp_path)
