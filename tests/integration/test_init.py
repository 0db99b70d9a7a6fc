"""`python -m pytest_ocrparity init`: what it finds and chooses, what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from paths import EXAMPLE
from PIL import Image
from projects import NO_XDIST

from pytest_ocrparity.__main__ import main
from pytest_ocrparity.evaluate.labels import read_labels
from pytest_ocrparity.settings import load_settings

OWN = "ocrparity.toml"


@pytest.fixture(autouse=True)
def no_ppocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what tests before these imported of PaddleOCR's code: a process can use no other."""
    monkeypatch.delitem(sys.modules, "ppocr", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project beside PaddleOCR's code, without a file; the working directory."""
    project, code = tmp_path / "project", tmp_path / "PaddleOCR" / "ppocr"
    for each in (project, code / "modeling" / "backbones"):
        each.mkdir(parents=True)
    (code / "__init__.py").touch()
    (code / "modeling" / "backbones" / "__init__.py").write_text("MobileNetV3")
    monkeypatch.chdir(project)
    return project


def give(folder: Path, *names: str) -> None:
    """Copy files and folders of the example."""
    for name in names:
        (shutil.copytree if (EXAMPLE / name).is_dir() else shutil.copy)(EXAMPLE / name, folder / name)


def give_detector(folder: Path) -> None:
    (folder / "configs").mkdir()
    (folder / "checkpoints").mkdir()
    (folder / "images").mkdir()
    give(folder, "configs/tiny_db.yml", "checkpoints/tiny_db.pdparams", "inference", "tiny_db", "images/receipt.png")


def test_a_folder_with_nothing_says_all_that_the_first_run_says(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == 1
    told = capsys.readouterr().out
    for setting in ("train.config", "train.checkpoint", "train.paddleocr_root", "inference.model_dir", "images"):
        assert f": set {setting}, such as " in told
    missing = [line.strip() for line in told.partition("Still missing, as the first run says too:\n")[2].splitlines()]
    assert len(missing) == 4
    result = pytester.runpytest(*NO_XDIST)
    result.assert_outcomes(errors=1)
    said = [line.removeprefix("E").strip() for line in result.outlines]
    assert all(line in said for line in missing)
    assert "# images = " in (pytester.path / OWN).read_text()


def test_what_is_found_is_written_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    give(folder, "inference_fp16", "checkpoints/tiny_db_early.pdparams")
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert "  configs/tiny_db.yml trains a detector.\n" in told
    others = "Others: checkpoints/tiny_db_early.pdparams; train.checkpoint may name one of them."
    assert f"  checkpoints/tiny_db.pdparams holds its weights. {others}\n" in told
    assert "Others: inference_fp16; inference.model_dir may name one of them." in told
    assert "  tiny_db.network:build makes its network, which PaddleOCR's code here does not have.\n" in told
    assert told.endswith("Written: ocrparity.toml.\nWritten: tests/test_ocr_detection.py.\n\nNow run: pytest\n")
    settings = load_settings(folder / OWN, {}, folder)
    assert settings.image_paths() == [folder / "images/receipt.png"]
    assert settings.train["paddleocr_root"] == folder.parent / "PaddleOCR"
    values = settings.candidates["inference"].values
    assert values["options"] == {"limit_side_len": 736, "limit_type": "min"}
    assert values["predict_options"] == {"max_side_limit": 100000}


@pytest.mark.parametrize("box_thresh", [0.6, 0.9])
def test_what_the_exports_file_says_is_left_to_it(
    folder: Path, capsys: pytest.CaptureFixture[str], box_thresh: float
) -> None:
    """An option in its place would hide what is wrong in that file, or becomes so."""
    give_detector(folder)
    file = folder / "inference" / "inference.yml"
    assert "box_thresh: 0.6\n" in file.read_text()
    file.write_text(file.read_text().replace("box_thresh: 0.6\n", f"box_thresh: {box_thresh}\n"))
    assert main(["init"]) == 0
    values = load_settings(folder / OWN, {}, folder).candidates["inference"].values
    assert values["options"] == {"limit_side_len": 736, "limit_type": "min"}
    told = "inference.yml says box_thresh 0.9, and box_thresh 0.6 was evaluated: the gate fails and says so. If your "
    assert (told in capsys.readouterr().out) == (box_thresh == 0.9)


def test_two_tasks_are_two_tables_and_two_tests(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_both(folder)
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert told.index("detection:\n") < told.index("recognition:\n  configs/tiny_rec.yml trains a recogniser.\n")
    settings = load_settings(folder / OWN, {}, folder)
    assert settings.recognition is not None
    assert settings.recognition.train["network"] == "tiny_rec.network:build"
    assert settings.recognition.candidates["inference"].values["model_dir"] == folder / "inference_rec"
    assert {path.parent.name for path in settings.recognition.image_paths()} == {"lines"}
    assert {path.parent.name for path in settings.image_paths()} == {"images"}
    assert 'ocr_task("recognition")' in (folder / "tests/test_ocr_recognition.py").read_text()
    assert "ocr_task" not in (folder / "tests/test_ocr_detection.py").read_text()
    assert '# labels = "lines/Label.txt"\n' in (folder / OWN).read_text()


def give_both(folder: Path) -> None:
    give_detector(folder)
    give(folder, "configs/tiny_rec.yml", "configs/tiny_rec_dict.txt", "checkpoints/tiny_rec.pdparams")
    give(folder, "tiny_rec", "inference_rec", "lines")


def test_two_models_read_pages_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_both(folder)
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert "\npage:\n  inference and inference_rec can read pages together, behind paddleocr.PaddleOCR.\n" in told
    assert "Written: tests/test_ocr_page.py.\n" in told
    page = load_settings(folder / OWN, {}, folder).page
    off = dict.fromkeys(("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation"), False)
    found = {"text_det_limit_side_len": 736, "text_det_limit_type": "min", "text_det_thresh": 0.3}
    found |= {"text_det_box_thresh": 0.6, "text_det_unclip_ratio": 1.5}
    assert page == {"options": {**found, **off}}
    assert "assert_same_page(" in (folder / "tests/test_ocr_page.py").read_text()
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert told.count("is there already, and is what would be written.") == 4
    assert "Written" not in told


@pytest.mark.parametrize("gone", ["inference_rec", "inference", "configs/tiny_rec.yml"])
def test_without_both_models_there_is_no_page(folder: Path, capsys: pytest.CaptureFixture[str], gone: str) -> None:
    give_both(folder)
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    main(["init"])
    assert "page:\n" not in capsys.readouterr().out
    assert not load_settings(folder / OWN, {}, folder).reads_pages
    assert not (folder / "tests/test_ocr_page.py").exists()


def test_settings_without_pages_are_shown_what_is_new(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_both(folder)
    main(["init"])
    (folder / OWN).write_text((folder / OWN).read_text().partition("[page]")[0])
    capsys.readouterr()
    assert main(["init"]) == 0
    assert "+[page]\n" in capsys.readouterr().out


def test_a_recogniser_alone_needs_no_mark(folder: Path) -> None:
    for name in ("configs", "checkpoints"):
        (folder / name).mkdir()
    give(folder, "configs/tiny_rec.yml", "checkpoints/tiny_rec.pdparams", "tiny_rec", "inference_rec", "lines")
    main(["init"])
    settings = load_settings(folder / OWN, {}, folder)
    assert settings.recognition is None
    assert settings.candidates["inference"].values["model_dir"] == folder / "inference_rec"
    assert sorted(path.name for path in (folder / "tests").iterdir()) == ["test_ocr_recognition.py"]
    assert "ocr_task" not in (folder / "tests/test_ocr_recognition.py").read_text()


def test_an_onnx_file_alone_is_the_detector(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(EXAMPLE / "inference_onnx" / "inference.onnx", folder / "det.onnx")
    assert main(["init"]) == 1
    told = capsys.readouterr().out
    assert "det.onnx is taken for the deployed detector, run by ONNX Runtime.\n" in told
    told_of = "# Write what your code does around that file; these are an example.\n# None of that code runs here."
    assert f'model_file = "det.onnx"\n{told_of}' in (folder / OWN).read_text()
    assert "inference.options lack img_mode, " in told.partition("Still missing")[2]
    text = (folder / OWN).read_text()
    (folder / OWN).write_text(text.replace("# options", "options"))
    assert main(["init"]) == 1
    assert "inference.options" not in capsys.readouterr().out.partition("Still missing")[2]


@pytest.mark.parametrize("box_thresh", [0.45, 0.6])
def test_the_options_of_an_onnx_file_are_those_of_the_training_file(folder: Path, box_thresh: float) -> None:
    give_detector(folder)
    shutil.rmtree(folder / "inference")
    shutil.copy(EXAMPLE / "inference_onnx" / "inference.onnx", folder / "det.onnx")
    config = folder / "configs/tiny_db.yml"
    assert "box_thresh: 0.6" in config.read_text()
    config.write_text(config.read_text().replace("box_thresh: 0.6", f"box_thresh: {box_thresh}"))
    assert main(["init"]) == 1
    text = (folder / OWN).read_text()
    assert "# Write what your code does around that file; these are what tiny_db.yml evaluates.\n" in text
    assert 'limit_type = "min", scale = "1./255.", mean = [' in text
    (folder / OWN).write_text(text.replace("# options", "options"))
    options = load_settings(folder / OWN, {}, folder).candidates["inference"].values["options"]
    assert len(options) == 13
    assert (options["box_thresh"], options["limit_side_len"]) == (box_thresh, 736)
    assert main(["init"]) == 0


def test_a_second_call_does_not_contradict_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    code = (folder.parent / "PaddleOCR").rename(folder.parent.parent / "code")
    assert main(["init"]) == 1
    assert "Still missing, as the first run says too:\n" in capsys.readouterr().out
    assert main(["init", f"--paddleocr-root={code}"]) == 1
    told = capsys.readouterr().out
    assert f'+paddleocr_root = "{code}"\n' in told
    assert f"Still missing in {OWN}, which was left as it is (the lines with + above are what was found), as" in told


def test_weights_in_the_folder_of_training_are_preferred(folder: Path) -> None:
    give_detector(folder)
    for name in ("latest", "best_accuracy"):
        shutil.copy(folder / "checkpoints/tiny_db.pdparams", folder / f"checkpoints/{name}.pdparams")
    main(["init"])
    assert load_settings(folder / OWN, {}, folder).train["checkpoint"].name == "best_accuracy"


def test_weights_of_nothing_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(EXAMPLE / "checkpoints/tiny_db.pdparams", folder)
    assert main(["init"]) == 1
    assert "it is not known what tiny_db.pdparams belongs to: set train.checkpoint" in capsys.readouterr().out
    assert '# checkpoint = "tiny_db"\n' in (folder / OWN).read_text()


def test_in_a_checkout_only_what_was_trained_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkout = folder.parent / "PaddleOCR"
    (checkout / "configs").mkdir()
    for name in ("other", "mine"):
        text = (EXAMPLE / "configs/tiny_db.yml").read_text().replace("./checkpoints", f"./output/{name}")
        (checkout / "configs" / f"{name}.yml").write_text(text)
    assert main(["init", str(checkout)]) == 1
    assert "No training YAML file of a detector was found: " in capsys.readouterr().out
    (checkout / OWN).unlink()
    for name in ("mine", "unknown"):
        (checkout / "output" / name).mkdir(parents=True)
        shutil.copy(EXAMPLE / "checkpoints/tiny_db.pdparams", checkout / "output" / name / "best_accuracy.pdparams")
    template = (EXAMPLE / "configs/tiny_db.yml").read_text().replace("./checkpoints", "./output/")
    (checkout / "configs/aaa.yml").write_text(template)  # what is below its folder is not its own
    main(["init", str(checkout)])
    settings = load_settings(checkout / OWN, {}, checkout)
    assert settings.train["config"] == checkout / "configs/mine.yml"
    assert settings.train["checkpoint"] == checkout / "output/mine/best_accuracy"
    assert settings.train["paddleocr_root"] == checkout


def test_long_images_are_lines(folder: Path) -> None:
    give_detector(folder)
    (folder / "aaa").mkdir()
    Image.new("RGB", (320, 32)).save(folder / "aaa" / "x.png")
    main(["init"])
    assert load_settings(folder / OWN, {}, folder).image_paths() == [folder / "images/receipt.png"]


@pytest.mark.parametrize(
    ("name", "are_lines"), [("receipts", False), ("pipeline", False), ("text_lines", True), ("rec", True)]
)
def test_a_word_in_the_name_of_a_folder_says_what_its_images_are(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, are_lines: bool
) -> None:
    give_both(folder)
    shutil.rmtree(folder / "lines")
    (folder / "images").rename(folder / name)
    main(["init"])
    told = capsys.readouterr().out
    assert f"{name} holds 1 image of {'lines' if are_lines else 'pages'}." in told
    assert f"{name} holds 1 image of {'pages' if are_lines else 'lines'}." not in told


@pytest.mark.parametrize("own", [True, False])
def test_labels_are_those_of_the_images(folder: Path, own: bool) -> None:
    """A label file of pages is none of lines, though it lies beside both folders."""
    give_both(folder)
    (folder / "lines" / "Label.txt").unlink()
    (folder / "labels_of_pages.txt").write_text("images/receipt.png\t[]\n")
    if own:
        (folder / "labels_of_lines.txt").write_text("lines/short.png\tOCR\n")
    assert main(["init"]) == 0
    pages, lines = (folder / OWN).read_text().split("[recognition]")
    assert '# labels = "labels_of_pages.txt"' in pages
    assert ('# labels = "labels_of_lines.txt"' in lines) is own
    assert "labels_of_pages.txt" not in lines


@pytest.mark.parametrize("beside", [True, False])
def test_labels_say_where_their_paths_start(folder: Path, beside: bool) -> None:
    """Without data_dir they start at the folder of the file, and the proposed line would be refused."""
    give_detector(folder)
    file = folder / ("labels.txt" if beside else "train_data/labels.txt")
    file.parent.mkdir(exist_ok=True)
    box = {"transcription": "OCR", "points": [[9, 9], [99, 9], [99, 30], [9, 30]]}
    file.write_text(f"images/receipt.png\t{json.dumps([box])}\n")
    assert main(["init"]) == 0
    settings = folder / OWN
    assert ("data_dir" in settings.read_text()) is not beside
    settings.write_text(settings.read_text().replace("# labels", "labels"))
    labels = load_settings(settings, {}, folder).labels
    assert labels is not None
    read = read_labels(labels.files, data_dir=labels.data_dir)
    assert list(read.images) == [str(folder / "images/receipt.png")]


def test_a_pyproject_gets_the_table_and_keeps_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    before = '[tool.pytest.ini_options]\ntestpaths = ["checks"]  # here\n'
    (folder / "pyproject.toml").write_text(before)
    (folder / "checks").mkdir()
    assert main(["init"]) == 0
    text = (folder / "pyproject.toml").read_text()
    assert text.startswith(f"{before}\n[tool.ocrparity]\nimages = ")
    assert not (folder / OWN).exists()
    assert (folder / "checks/test_ocr_detection.py").is_file()
    assert load_settings(folder / "pyproject.toml", {}, folder).train["config"] == folder / "configs/tiny_db.yml"
    assert "Written into pyproject.toml: the table [tool.ocrparity].\n" in capsys.readouterr().out


def test_a_pyproject_that_takes_no_table_stays(folder: Path) -> None:
    before = "tool = { other = 1 }\n"
    (folder / "pyproject.toml").write_text(before)
    main(["init"])
    assert (folder / "pyproject.toml").read_text() == before
    assert (folder / OWN).is_file()


def test_a_test_in_another_encoding_is_shown_and_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    (folder / "tests").mkdir()
    (folder / "tests/test_ocr_detection.py").write_bytes("# prüft\n".encode("latin-1"))
    assert main(["init"]) == 0
    assert (folder / "tests/test_ocr_detection.py").read_bytes() == b"# pr\xfcft\n"
    assert "-# pr\\xfcft\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["pyproject.toml", OWN])
def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    give_detector(folder)
    head = "[tool.ocrparity]\n" if name == "pyproject.toml" else ""
    mine = f'[project]\nname = "x"\n{head}' if head else ""
    (folder / name).write_text(f'{mine}images = ["pages"]\n')
    (folder / "tests").mkdir()
    (folder / "tests/test_ocr_detection.py").write_text("# mine\n")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["init"]) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    lines = capsys.readouterr().out.splitlines()
    assert f"--- {name}, left as it is" in lines
    assert '-images = ["pages"]' in lines
    assert '+images = ["images/*.png"]' in lines
    assert "-# mine" in lines
    assert not any("[project]" in line for line in lines)


def test_a_second_call_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    assert main(["init"]) == 0
    capsys.readouterr()
    assert main(["init"]) == 0
    told = capsys.readouterr().out
    assert told.count("is there already, and is what would be written.") == 2
    assert "Written" not in told


def test_a_gate_that_is_there_already_gets_no_second(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_detector(folder)
    give(folder, "tests")
    assert main(["init"]) == 0
    assert "tests/test_export.py has assert_same_detections already: no test was" in capsys.readouterr().out
    assert not (folder / "tests/test_ocr_detection.py").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [(["nowhere"], "nowhere: no such folder"), (["--paddleocr-root=."], "holds no folder ppocr")],
    ids=str,
)
def test_wrong_words_write_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["init", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.iterdir())
