"""`python -m pytest_ocrparity fix`: what it prints, what it writes, and what it refuses. No model runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import records
import yaml
from paths import EXAMPLE

from pytest_ocrparity.__main__ import main
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.files import text_file_digest
from pytest_ocrparity.report.document import CandidateRecord, Results
from pytest_ocrparity.report.document_text import as_text

MEAN = [0.485, 0.456, 0.406]
WRONG = [0.5, 0.5, 0.5]
SETTINGS = 'images = ["images/*.png"]\n[train]\nconfig = "tiny_db.yml"\n[inference]\nmodel_dir = "inference"\n'
TELLS_OPTIONS = "options in the settings are not written: "


class Project:
    """A project whose export has another mean than was trained with, and the results of a run that says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(EXAMPLE / "inference", folder / "inference")
        shutil.copy(EXAMPLE / "configs" / "tiny_db.yml", folder)
        self.yml = folder / "inference" / "inference.yml"
        self.settings = folder / "ocrparity.toml"
        self.results = folder / "report" / "results.json"
        self.settings.write_text(SETTINGS)
        text = self.yml.read_text()
        for right, wrong in zip(MEAN, WRONG, strict=True):
            text = text.replace(f"      - {right}\n", f"      - {wrong}  # measured\n")
        self.yml.write_text(text)
        self.before = self.yml.read_bytes()

    def write(
        self,
        *diagnoses: tuple[str, Diagnosis],
        values: Mapping[str, Any] | None = None,
        edit: Callable[[dict[str, Any]], object] | None = None,
        **fields: Any,
    ) -> None:
        """Write results: a failed comparison for each image with its diagnosis."""
        compared = [
            records.comparison(
                "preprocessing",
                **{
                    **{"image": image, "status": "different", "stage": "tensor", "outcome": "failed"},
                    **{"diagnoses": (diagnosis,), "rerun": f"pytest 't.py::test_export[{image}]' --ocr-report=r"},
                    **fields,
                },
            )
            for image, diagnosis in diagnoses
        ]
        given = {"model_dir": str(self.folder / "inference"), **(values or {})}
        files = {self.yml.name: text_file_digest(self.yml)}
        candidates = {"inference": CandidateRecord(given, {}, files)}
        made: Results = records.results(compared)
        settings = msgspec.structs.replace(made.settings, root=str(self.folder), candidates=candidates)
        document = json.loads(as_text(msgspec.structs.replace(made, settings=settings)))
        if edit is not None:
            edit(document)
        self.results.parent.mkdir(exist_ok=True)
        self.results.write_text(json.dumps(document))

    def fix(self, *words: str) -> int:
        """Run the command."""
        return main(["fix", str(self.results), *words])

    def mean(self) -> Any:
        """Return what the export subtracts now."""
        operators = yaml.safe_load(self.yml.read_text())["PreProcess"]["transform_ops"]
        return next(each["NormalizeImage"]["mean"] for each in operators if "NormalizeImage" in each)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def proved(*changes: Change, cause: str = "normalize.mean_std", **fields: Any) -> Diagnosis:
    fix = Fix(f"do what removes {cause}", changes)
    return Diagnosis(
        **{"stage": "tensor", "cause": cause, "summary": "another mean", "evidence": ("shown",), "fix": fix, **fields}
    )


def of_file(mean: list[float] = MEAN, key: str = "NormalizeImage", **values: Any) -> Change:
    return Change("inference.yml", {"mean": mean, **values}, key)


OPTIONS = Change("inference.options", {"limit_side_len": 736, "limit_type": "min"})


def test_a_fix_that_images_share_is_printed_once_and_written(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["a.png", "b.png", "c.png", "d.png"]
    project.write(*((image, proved(of_file())) for image in images))
    assert project.fix() == 0
    assert project.yml.read_bytes() == project.before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "in the export folder:"
    shared = "  normalize.mean_std of inference (4 images: a.png, b.png, c.png and 1 more): another mean"
    assert lines.count(shared) == 1
    assert lines.count("--- inference/inference.yml") == lines.count("+++ inference/inference.yml") == 1
    changed = [line for line in lines if line.startswith(("-  ", "+  "))]
    assert changed[0] == "-      - 0.5  # measured"
    assert "+      - 0.485  # measured" in changed
    assert len(changed) == 6
    names = " ".join(f"'t.py::test_export[{image}]'" for image in images)
    assert lines[-1] == f"  pytest {names} --ocr-report=r"
    assert project.fix("--write") == 0
    told = capsys.readouterr().out
    (old,) = project.results.parent.glob("*.old")
    assert f"written: inference/inference.yml; the old file is report/{old.name}\n" in told
    assert old.read_bytes() == project.before
    assert project.mean() == MEAN
    assert project.yml.read_text().count("# measured") == 3
    assert sorted(path.name for path in project.yml.parent.iterdir()) == [
        *("inference.json", "inference.pdiparams", "inference.yml"),
    ]


def test_only_the_first_group_is_written(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    training = Change("train.config", {"resize_long": None, "limit_side_len": 960}, "DetResizeForTest")
    project.write(
        ("a.png", proved(of_file())),
        ("b.png", proved(OPTIONS, cause="resize.limits")),
        ("c.png", proved(training, cause="resize.resize_long")),
        values={"options": {"device": "cpu", "limit_side_len": 960}},
    )
    settings, config = project.settings.read_bytes(), (project.folder / "tiny_db.yml").read_bytes()
    assert project.fix("--write") == 0
    told = capsys.readouterr().out
    assert (project.settings.read_bytes(), (project.folder / "tiny_db.yml").read_bytes()) == (settings, config)
    heads = [line for line in told.splitlines() if line.startswith("in ")]
    assert heads == ["in the export folder:", "in your deployment's code:", "in the training YAML file:"]
    assert "      -    limit_side_len=960,\n      +    limit_side_len=736,\n" in told
    flags = "--device cpu --limit_side_len 736 --limit_type min"
    name = "--model_name PP-OCRv5_mobile_det"
    assert f"paddleocr text_detection -i IMAGE {name} --model_dir inference {flags}\n" in told
    assert "nothing was written" not in told
    assert "      limit_side_len: 736\n" in told
    assert "+      - DetResizeForTest: {limit_side_len: 960}" in told
    assert TELLS_OPTIONS in told


def test_a_pipeline_has_its_block_of_yaml(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    change = Change("inference.options", {"text_det_limit_side_len": 736})
    project.write(("a.png", proved(change, cause="resize.limits")), values={"api": "PaddleOCR"})
    assert project.fix() == 0
    told = capsys.readouterr().out
    named = "--text_detection_model_name PP-OCRv5_mobile_det --text_detection_model_dir inference"
    assert f"paddleocr ocr -i IMAGE {named} --text_det_limit_side_len 736\n" in told
    assert "nothing was written" not in told
    assert project.fix("--write") == 0
    assert "nothing was written: no proved fix changes an inference.yml alone\n" in capsys.readouterr().out
    assert "        TextDetection:\n          limit_side_len: 736\n" in told


@pytest.mark.parametrize("options", [{"device": "cpu"}, ["device"]], ids=["table", "list"])
def test_options_of_a_page_that_are_no_table_are_left_out(
    project: Project, capsys: pytest.CaptureFixture[str], options: Any
) -> None:
    def as_page(document: dict[str, Any]) -> None:
        document["settings"]["page"] = {"options": options}

    change = Change("page.options", {"text_det_limit_side_len": 736})
    values = {"api": "PaddleOCR", "options": options}
    project.write(("a.png", proved(change, cause="resize.limits")), values=values, edit=as_page, candidate="page")
    assert project.fix() == 0
    told = capsys.readouterr().out
    assert ("--device cpu " in told) == isinstance(options, dict)
    assert "--text_det_limit_side_len 736\n" in told


def test_a_call_has_its_engine(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write(("a.png", proved(OPTIONS, cause="resize.limits")), values={"engine": "onnxruntime"})
    assert project.fix() == 0
    told = capsys.readouterr().out
    assert '       model = TextDetection(\n           model_name="PP-OCRv5_mobile_det",\n' in told
    assert '           engine="onnxruntime",\n      +    limit_side_len=736,\n' in told
    assert " --engine onnxruntime --limit_side_len 736 " in told


def test_what_no_class_of_paddleocr_runs_has_no_call(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    change = Change("inference.options", {"INFERENCE_PRECISION_HINT": "f32"})
    project.write(("a.png", proved(change, cause="engine.precision")), values={"engine": "openvino"})
    assert project.fix() == 0
    told = capsys.readouterr().out
    assert "as YAML, where the deployment has its options:\n      INFERENCE_PRECISION_HINT: f32\n" in told
    assert "TextDetection" not in told and "the command line" not in told


def test_fixes_that_contradict_each_other_are_shown_and_not_written(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    agreed = proved(Change("inference.yml", {"thresh": 0.2}, "PostProcess"), cause="postprocess.thresh")
    project.write(
        ("a.png", proved(of_file())), ("b.png", proved(of_file([0.1, 0.2, 0.3]), summary="one more")), ("c.png", agreed)
    )
    assert project.fix("--write") == 1
    told = capsys.readouterr().out
    assert told.index("contradicting each other") < told.index("(1 image: a.png)") < told.index("one more")
    assert project.mean() == WRONG
    assert "thresh: 0.2" in project.yml.read_text()


@pytest.mark.parametrize(
    "fields", [{"cause": "unknown", "fix": None}, {"cause": "unknown"}, {"evidence": ()}, {"cause": "no.such"}], ids=str
)
def test_what_is_not_proved_changes_nothing(
    project: Project, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    project.write(("a.png", proved(of_file(), **fields)))
    assert project.fix("--write") == 1
    told = capsys.readouterr().out
    assert "without a proved fix:" in told
    assert f"  {fields.get('cause', 'normalize.mean_std')} of inference: another mean (1 image: a.png)\n" in told
    assert project.yml.read_bytes() == project.before
    assert not list(project.results.parent.glob("*.old"))


@pytest.mark.parametrize("fields", [{"outcome": "passed"}, {"status": "same"}, {"outcome": "skipped"}], ids=str)
def test_what_did_not_fail_needs_no_fix(
    project: Project, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    project.write(("a.png", proved(of_file())), **fields)
    assert project.fix("--write") == 0
    assert capsys.readouterr().out == "nothing of these results failed\n"
    assert project.yml.read_bytes() == project.before


@pytest.mark.parametrize("other", ["export", "train.config"])
def test_what_the_next_export_writes_is_done_by_hand(
    project: Project, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    more = Change("export") if other == "export" else Change(other, {"img_mode": "BGR"}, "DecodeImage")
    project.write(("a.png", proved(of_file(), more)))
    assert project.fix("--write") == 0
    assert "by hand, as the next export writes that file" in capsys.readouterr().out
    assert project.yml.read_bytes() == project.before


def changed(project: Project) -> None:
    project.yml.write_bytes(project.before + b"# touched\n")


def linked(project: Project) -> None:
    elsewhere = project.folder / "elsewhere.yml"
    project.yml.rename(elsewhere)
    project.yml.symlink_to(elsewhere)


def bombed(project: Project) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    project.yml.write_text("\n".join([*lines, project.before.decode()]))


def taken(project: Project) -> None:
    name = f"inference.yml.{text_file_digest(project.yml)[:12]}.old"
    (project.results.parent / name).write_text("something else")


def shadowed(project: Project) -> None:
    (project.results.parent / f"inference.yml.{text_file_digest(project.yml)[:12]}.old").mkdir()


def moved(project: Project) -> None:
    project.results.rename(project.yml.parent / "results.json")
    project.results = project.yml.parent / "results.json"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (changed, "has changed since the run"),
        (linked, "is a link"),
        (bombed, "its aliases make it larger"),
        (taken, "is there already and is another file"),
        (shadowed, ".old: cannot be read: Is a directory"),
        (moved, "lies in the folder that is deployed"),
    ],
)
def test_what_cannot_be_written_safely_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str], spoil: Callable[[Project], None], message: str
) -> None:
    project.write(("a.png", proved(of_file())))
    spoil(project)
    if spoil is bombed:  # the run has seen it
        project.write(("a.png", proved(of_file())))
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert project.fix("--write") == 2
    told = capsys.readouterr()
    assert message in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()} == before


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Return what puts a value at a place of the document."""

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for key in keys[:-1]:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[keys[-1]] = value

    return edit


CHANGE = ("comparisons", "0", "diagnoses", "0", "fix", "changes", "0")
FOLDER = ("settings", "candidates", "inference", "values", "model_dir")
FILES = ("settings", "candidates", "inference", "files")
EVIL = "__import__('os').system('touch evil')"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (put("schema_version", value=1), "schema_version 1"),
        (put(*FILES, value={}), "has not recorded"),
        (put(*FOLDER, value="/etc"), "these results are about model_dir"),
        (put(*FOLDER, value="../../etc"), "these results are about model_dir"),
        (put(*FOLDER, value=["x"]), "these results are about model_dir"),
        (put(*CHANGE, "where", value="../inference.yml"), "no place that a fix has"),
        (put(*CHANGE, "where", value="/etc/passwd"), "no place that a fix has"),
        (put(*CHANGE, "where", value="candidates.other.options"), "no place that a fix has"),
        (put(*CHANGE, "key", value="NormalizeImage: {}\nx"), "a name that no parameter has"),
        (put(*CHANGE, "values", value={"mean: 1\nx": 1}), "a name that no parameter has"),
        (put(*CHANGE, "values", value={"mean": {"a": 1}}), "a value that no parameter has"),
        (put(*CHANGE, "values", value={"mean": [[1]]}), "a value that no parameter has"),
        (put(*CHANGE, "values", value={"scale": EVIL}), "write a number or a fraction"),
        (put(*CHANGE, "key", value="NoSuchOperator"), "is not in PreProcess.transform_ops"),
        (put(*CHANGE, "key", value="Global"), "a place of inference.yml that no fix has"),
        (put(*CHANGE, "key", value="Hpi.backend"), "a place of inference.yml that no fix has"),
        (put(*CHANGE, "key", value=""), "a place of inference.yml that no fix has"),
    ],
)
def test_results_that_no_run_writes_are_refused(
    project: Project, capsys: pytest.CaptureFixture[str], edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    project.write(("a.png", proved(of_file())), edit=edit)
    assert project.fix("--write") == 2
    told = capsys.readouterr()
    assert message in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert project.yml.read_bytes() == project.before
    assert not list(project.results.parent.glob("*.old"))


def test_what_failed_otherwise_is_listed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    def more(document: dict[str, Any]) -> None:
        document["run"]["faults"] = ["over the run: too many boxes"]
        missed = {"test": "t.py::t", "image": "z.png", "outcome": "error", "reason": "no model\nat all"}
        document["not_compared"] = [missed, {**missed, "outcome": "skipped", "reason": "of no use"}]

    project.write(("a.png", proved(of_file())), edit=more)
    assert project.fix("--write") == 1
    told = capsys.readouterr().out
    assert "  not compared: no model (1 image: z.png)\n  over the run: too many boxes\n" in told
    assert "of no use" not in told
    assert project.mean() == MEAN


def test_a_command_that_no_run_records_is_not_printed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write(("a.png", proved(of_file())), rerun="rm -rf . 'x")
    assert project.fix() == 0
    assert "rm -rf" not in capsys.readouterr().out
    project.write(("a.png", proved(of_file())), rerun="pytest t.py; touch evil")
    assert project.fix() == 0
    assert "  pytest 't.py;' touch evil\n" in capsys.readouterr().out


def test_a_report_of_another_machine_is_about_the_same_project(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    def elsewhere(document: dict[str, Any]) -> None:
        put("settings", "root", value="/home/ci/project")(document)
        put(*FOLDER, value="/home/ci/project/inference")(document)

    project.write(("a.png", proved(of_file())), edit=elsewhere)
    assert project.fix("--write") == 0
    assert project.mean() == MEAN


def test_without_settings_it_says_so(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.write(("a.png", proved(of_file())))
    project.settings.rename(project.folder / "mine.toml")
    assert project.fix() == 2
    assert "no settings file was found upward from here" in capsys.readouterr().err
    assert project.fix(f"--settings={project.folder / 'mine.toml'}") == 0
