"""A run's report: what is in the folder, that it is whole, and that every picture shows what it says."""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from projects import wrong_export
from PIL import Image
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections, ReportError, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.report import prepare
from pytest_ocrparity.report.document import Picture, as_text, read
from pytest_ocrparity.report.pictures.album import Album, slug
from pytest_ocrparity.report.pictures.arrays import COLOURS, difference, heat_map, photo, tensor_view
from pytest_ocrparity.report.pictures.boxes import STYLES
from pytest_ocrparity.report.schema import SCHEMA
from pytest_ocrparity.tolerance import BUILT_IN

NO_XDIST = ("-p", "no:xdist")
REPORT = "--ocr-report=report"
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """The parts of a page that tests look at: text, pictures, links, ids; and whether tags are balanced."""

    VOID = ("meta", "img", "br", "input", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.images, self.links, self.ids = "", [], [], []  # type: ignore[var-annotated]
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.images += [given["src"]] if tag == "img" and given.get("src") else []
        self.links += [given["href"]] if tag == "a" else []
        self.ids += [given["id"]] if "id" in given else []
        if tag not in self.VOID and tag not in ("path", "polygon", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest(*NO_XDIST, "-k", "training", REPORT, *args)


def results_of(project: pytest.Pytester) -> dict[str, Any]:
    """Return the document, after a check that it keeps its schema and that its pictures exist."""
    folder = project.path / "report"
    results = json.loads((folder / "results.json").read_text())
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(results)
    assert as_text(read(folder / "results.json")) == (folder / "results.json").read_text()
    named = {picture["file"] for each in results["comparisons"] for picture in each["pictures"]}
    on_disk = {path.relative_to(folder).as_posix() for path in (folder / "pictures").rglob("*") if path.is_file()}
    assert named == on_disk  # none is missing, and no thumbnail or older picture is left
    found: dict[str, Any] = results
    return found


def page_of(project: pytest.Pytester) -> Page:
    found = Page((project.path / "report" / "index.html").read_text())
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        assert link[1:] in found.ids if link.startswith("#") else (project.path / "report" / link).is_file()
    assert all(source.startswith("data:image/") for source in found.images)
    return found


def test_a_run_that_passes_leaves_a_whole_report(project: pytest.Pytester) -> None:
    result = run(project)
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(["report: report/index.html"])
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert results["run"]["exit_status"] == 0
    assert [each["status"] for each in results["comparisons"]] == ["same"] * 6
    assert all(each["limits"] and each["parameters"] and each["pictures"] for each in results["comparisons"])
    shown = page_of(project)
    assert "✓" not in shown.text  # that is the style sheet's
    assert "passed" in shown.text
    assert "Headroom of what passed" in shown.text
    assert "What is wrong" not in shown.text
    assert len(shown.images) == 2 * (3 + 3 + 3 + 3)
    assert "## OCR parity: passed" in (project.path / "report" / "summary.md").read_text()


def test_a_run_that_fails_shows_the_cause_and_all_stages(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    result = run(project)
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(
        ["*- ocrparity pictures -*", "report/pictures/images_*", "  detections  *detections-both-*.svg*"]
    )
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    failing = [each for each in results["comparisons"] if each["status"] == "different"]
    assert {each["kind"] for each in failing} == {"detections"}
    for each in failing:
        assert each["judged"]
        assert each["stage"] == "detections"
        assert each["diagnoses"][0]["cause"] == "unknown"
        assert each["message"].startswith(f"{each['image']}: first difference at detections")
        assert each["file"] == "test_export.py"
        assert each["line"] == 3
    shown = page_of(project)
    assert "What is wrong" in shown.text
    assert "moved" in shown.text


def test_what_a_failure_kept_from_being_asserted_is_measured_and_says_so(project: pytest.Pytester) -> None:
    wrong_export(project, mean=0.6)
    run(project)
    judged = {(each["kind"], each["judged"]) for each in results_of(project)["comparisons"]}
    assert judged == {("preprocessing", True), ("probability_maps", False), ("detections", False)}
    assert "(measured, not asserted)" in page_of(project).text


@pytest.mark.parametrize("workers", ["0", "2"])
def test_under_xdist_one_report_that_is_whole(project: pytest.Pytester, workers: str) -> None:
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess("-n", workers, "-k", "training", REPORT)
    assert result.ret == 1
    assert result.stdout.str().count("report: report/index.html") == 1
    assert {each["image"] for each in results_of(project)["comparisons"]} == {
        "images/one_word.npy",
        "images/three_words.npy",
    }
    page_of(project)


def test_a_crashed_workers_image_is_listed_and_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import os
        from pytest_ocrparity import assert_same_detections

        def test_crash(ocr_train_model, ocr_inference_model, ocr_image):
            if ocr_image.name == "three_words.npy":
                os._exit(3)
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest_subprocess("-n", "2", REPORT)
    assert result.ret == 1
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    assert results["run"]["tests"]["crashed"] == 1
    (missed,) = results["not_compared"]
    assert missed["image"] == "images/three_words.npy"
    assert missed["outcome"] == "crashed"
    assert "crashed while running" in missed["reason"]
    assert [each["image"] for each in results["comparisons"]] == ["images/one_word.npy"]
    assert "Not compared" in page_of(project).text
    assert "Not compared" in (project.path / "report" / "summary.md").read_text()


def test_of_reruns_the_last_counts(project: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures")
    project.makepyfile(
        test_export="""
        from dataclasses import replace
        from pathlib import Path
        from pytest_ocrparity import assert_same_detections
        from toy import Toy

        def test_flaky(ocr_train_model, ocr_inference_model, ocr_image):
            mark = Path("tried")
            inference = ocr_inference_model if mark.exists() else Toy(name="inference", pad=4)
            mark.touch()
            assert_same_detections(ocr_train_model.trace(ocr_image), inference.trace(ocr_image))
        """
    )
    options = ("--reruns=1", "--ocr-images=images/one_word.npy", "--junitxml=j.xml")
    result = project.runpytest_subprocess(*NO_XDIST, REPORT, *options)
    assert result.ret == 0
    (compared,) = results_of(project)["comparisons"]
    assert compared["status"] == "same"
    assert compared["diagnoses"] == []
    last = list(ET.parse(project.path / "j.xml").iter("testcase"))[-1]
    properties = {p.attrib["name"]: p.attrib["value"] for p in last.iter("property")}
    assert properties["ocr.detections.status"] == "same"
    assert "ocr.cause" not in properties


def test_a_run_that_is_interrupted_reports_what_was_compared(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        from pytest_ocrparity import assert_same_detections

        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            if ocr_image.name == "three_words.npy":
                raise KeyboardInterrupt
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest_subprocess(*NO_XDIST, REPORT)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    results = results_of(project)
    assert results["run"]["interrupted"]
    assert len(results["comparisons"]) == 1
    assert "interrupted" in page_of(project).text


def test_a_model_that_does_not_load_is_in_the_report(project: pytest.Pytester) -> None:
    project.makeconftest("")
    result = run(project)
    assert result.ret == 1
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    assert {each["outcome"] for each in results["not_compared"]} == {"error"}
    assert "sets no train.config" in results["not_compared"][0]["reason"]


def test_skipped_tests_are_listed_without_failing_it(project: pytest.Pytester) -> None:
    project.runpytest(*NO_XDIST, "--ocr-golden")
    result = project.runpytest(*NO_XDIST, "--ocr-no-train", REPORT)
    assert result.ret == 0
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert {each["outcome"] for each in results["not_compared"]} == {"skipped"}


def test_the_setting_does_what_the_option_does(project: pytest.Pytester) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\ndir = "out"\npictures = "failed"\n')
    project.runpytest(*NO_XDIST, "-k", "training")
    results = json.loads((project.path / "out" / "results.json").read_text())
    assert [each["pictures"] for each in results["comparisons"]] == [[]] * 6


def test_only_failed_pictures_are_drawn_when_so_set(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\npictures = "failed"\n')
    run(project)
    drawn = {(each["kind"], bool(each["pictures"])) for each in results_of(project)["comparisons"]}
    assert drawn == {("preprocessing", False), ("probability_maps", False), ("detections", True)}


def test_collecting_only_touches_nothing(project: pytest.Pytester) -> None:
    run(project)
    before = (project.path / "report" / "results.json").read_bytes()
    run(project, "--collect-only")
    assert (project.path / "report" / "results.json").read_bytes() == before


def test_an_older_report_is_replaced_and_its_pictures_are_gone(project: pytest.Pytester) -> None:
    run(project)
    wrong_export(project, mean=0.6)
    run(project)
    results_of(project)  # checks that only its own pictures are there


def test_what_a_killed_run_began_to_draw_is_gone(project: pytest.Pytester) -> None:
    run(project)
    page = next((project.path / "report" / "pictures").iterdir())
    kept = [page / ".notes.tmp", page / "ocrparity-0a1b2c3d4e5f6071.tmp"]
    for path in (page / ".ocrparity-0a1b2c3d4e5f6071.tmp", *kept):
        path.write_text("half")
    run(project)
    assert [path.name for path in page.iterdir() if path.suffix == ".tmp" and path not in kept] == []
    assert all(path.exists() for path in kept)


def test_an_older_report_is_gone_before_any_test_runs(project: pytest.Pytester) -> None:
    run(project)
    project.makepyfile(
        test_export="""
        from pathlib import Path
        def test_it(ocr_image): assert not [p for p in Path("report").iterdir() if p.name != "pictures"]
        """
    )
    assert "1 passed" in project.runpytest(*NO_XDIST, REPORT, "--ocr-images=images/one_word.npy").stdout.str()


@pytest.mark.parametrize("name", ["index.html", "results.json", "summary.md"])
def test_a_folder_with_a_file_of_the_users_is_refused(project: pytest.Pytester, name: str) -> None:
    folder = project.mkdir("report")
    (folder / name).write_text("mine")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *report holds a file {name} that is of no ocrparity report: *"])
    assert (folder / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_a_usage_error(project: pytest.Pytester) -> None:
    (project.path / "report").write_text("a file")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *report: cannot write a report there: *"])


def test_a_report_that_cannot_be_written_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        from pathlib import Path
        from pytest_ocrparity import assert_same_detections

        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
            Path("report/index.html").mkdir(exist_ok=True)
        """
    )
    result = project.runpytest(*NO_XDIST, REPORT)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED *report: cannot write the report: *"])


def test_a_picture_that_cannot_be_drawn_hides_nothing(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            """
from pytest_ocrparity import files
def broken(*args):
    raise OSError("No space left on device")
files.write_whole = broken
"""
        )
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess(*NO_XDIST, "-k", "training", REPORT)
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["E *3 moved of 3 boxes*", "FAILED *report: cannot write the report: No space left*"])


def two(**fields: Any) -> tuple[Trace, Trace]:
    return Toy().trace(PAGE), Toy(name="inference", **fields).trace(PAGE)


def pictures(folder: Path, kind: str, sides: tuple[Trace, Trace]) -> dict[tuple[str, str], Picture]:
    comparison = Comparisons(*sides, BUILT_IN).of(kind)
    found, error = Album(folder).pictures_of(comparison, *sides)
    assert error is None
    assert all((folder / picture.thumb).is_file() for picture in found)
    return {(picture.stage, picture.side): picture for picture in found}


def opened(folder: Path, picture: Picture) -> Any:
    with Image.open(folder / picture.file) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_decoded_image_and_the_tensor_look_alike(tmp_path: Path) -> None:
    numbers = {"tensor": {"mean": [0.5] * 3, "std": [0.25] * 3, "scale": 1 / 255}}
    train, inference = (replace(trace, parameters=numbers) for trace in two())
    drawn = pictures(tmp_path, "preprocessing", (train, inference))
    for key in (("decode", "reference"), ("decode", "candidate"), ("tensor", "reference"), ("tensor", "candidate")):
        assert np.abs(opened(tmp_path, drawn[key]) - PAGE[..., ::-1]).mean() < 3  # JPEG
    assert drawn["decode", "difference"].caption == "none, every value is equal"
    assert "un-normalised with mean [0.5, 0.5, 0.5]" in drawn["tensor", "reference"].caption


def test_swapped_channels_are_seen(tmp_path: Path) -> None:
    drawn = pictures(tmp_path, "preprocessing", two(img_mode="RGB"))
    assert np.abs(opened(tmp_path, drawn["decode", "candidate"]) - PAGE).mean() < 3
    assert "decoded as RGB, drawn as BGR" in drawn["decode", "candidate"].caption
    assert drawn["decode", "difference"].bar == (0.0, 20.0)


def test_each_tensor_is_undone_with_its_own_numbers() -> None:
    scaled = {"tensor": {"mean": [0.6] * 3, "std": [0.25] * 3, "scale": 1 / 255}}
    trace = replace(Toy(mean=0.6).trace(PAGE), parameters=scaled)
    view = tensor_view(trace)
    assert np.array_equal(np.asarray(view.full), PAGE[..., ::-1])
    assert "un-normalised with mean [0.6, 0.6, 0.6]" in view.caption
    bare = tensor_view(replace(trace, parameters={}))
    assert "stretched from" in bare.caption


def test_a_single_pixel_stays_visible_however_small_the_thumbnail() -> None:
    ours = np.zeros((1, 1500, 1100), np.float32)
    theirs = ours.copy()
    theirs[0, 777, 333] = 1e-5
    drawn = difference(ours, theirs, "x")
    assert drawn.bar == pytest.approx((0.0, 1e-5))
    for image in (drawn.full, drawn.thumb):
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
        assert (colours == COLOURS[2]).all(axis=1).sum() == 1
        assert (colours == COLOURS[0]).all(axis=1).sum() == len(colours) - 1
    place = np.argwhere((np.asarray(drawn.thumb.convert("RGB")) == COLOURS[2]).all(axis=2))[0]
    assert place.tolist() == [777 // 12, 333 // 12]


def test_what_is_not_finite_is_drawn_as_the_worst() -> None:
    ours = np.zeros((1, 4, 4), np.float32)
    theirs = ours.copy()
    theirs[0, 1, 2] = np.nan
    theirs[0, 0, 0] = 0.5
    drawn = np.asarray(difference(ours, theirs, "x").full.convert("RGB"))
    assert drawn[1, 2].tolist() == drawn[0, 0].tolist() == list(COLOURS[2])


def test_a_heat_map_runs_from_low_to_high() -> None:
    drawn = np.asarray(heat_map(np.array([[0.0, 0.5], [1.0, 7.0]]), "x").full.convert("RGB"))
    assert drawn[0, 0].tolist() == list(COLOURS[0])
    assert drawn[1, 0].tolist() == drawn[1, 1].tolist() == list(COLOURS[2])
    assert np.abs(drawn[0, 1].astype(int) - COLOURS[1]).max() <= 1


def test_maps_of_other_shapes_have_no_difference(tmp_path: Path) -> None:
    assert set(pictures(tmp_path, "probability_maps", two(scale=2))) == {
        ("probability_map", "reference"),
        ("probability_map", "candidate"),
    }


def strokes(folder: Path, picture: Picture) -> list[tuple[str, str, str]]:
    """Return colour, dash and tooltip of each polygon, white borders left out."""
    root = ET.parse(folder / picture.file).getroot()
    polygons = [each for each in root.iter("{http://www.w3.org/2000/svg}polygon") if each.attrib["stroke"] != "#fff"]
    return [
        (each.attrib["stroke"], each.attrib.get("stroke-dasharray", ""), "".join(each.itertext())) for each in polygons
    ]


def test_boxes_are_told_apart_by_colour_and_dash(tmp_path: Path) -> None:
    assert len({style.colour for style in STYLES.values()}) == len(STYLES)
    assert len({(style.dash, style.fill) for style in STYLES.values()}) == len(STYLES)
    train, inference = two()
    assert train.detections is not None
    boxes, scores = train.detections.polygons, train.detections.scores
    assert scores is not None
    far = boxes[0] + 200
    changed = replace(inference, detections=Detections((boxes[1] + 3, boxes[2], far), scores[[1, 2, 0]]))
    drawn = pictures(tmp_path, "detections", (train, changed))
    names = strokes(tmp_path, drawn["detections", "both"])
    assert names[-4:] == [
        (STYLES["missing"].colour, STYLES["missing"].dash, "box 0 of train: missing"),
        (STYLES["reference"].colour, "", "box 1 of train: moved"),
        (STYLES["candidate"].colour, STYLES["candidate"].dash, "box 0 of inference: moved"),
        (STYLES["extra"].colour, STYLES["extra"].dash, "box 2 of inference: extra"),
    ]
    assert [name for _, _, name in strokes(tmp_path, drawn["detections", "reference"])] == [
        f"box {index} of train" for index in range(3)
    ]
    assert len(strokes(tmp_path, drawn["detections", "candidate"])) == 3


def test_boxes_are_drawn_where_they_are(tmp_path: Path) -> None:
    drawn = pictures(tmp_path, "detections", two())
    text = (tmp_path / drawn["detections", "reference"].file).read_text()
    root = ET.fromstring(text)
    assert root.attrib["viewBox"] == "0 0 96 64"
    assert 'points="7.0,7.0 41.0,7.0 41.0,21.0 7.0,21.0"' in text
    (uri,) = re.findall(r'href="data:image/jpeg;base64,([^"]+)"', text)
    assert np.abs(np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))).astype(int) - PAGE[..., ::-1]).mean() < 3


def test_boxes_without_any_image_are_drawn_on_nothing(tmp_path: Path) -> None:
    bare = [
        Trace(pipeline=name, image="no such file", detections=Detections((np.eye(4)[:, :2] * 40,))) for name in "ab"
    ]
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert "no side recorded the image" in drawn["detections", "both"].caption


def test_an_engine_that_returns_boxes_alone_is_drawn_on_its_file(tmp_path: Path) -> None:
    Image.fromarray(page(boxes=((10, 10, 50, 30),))).save(tmp_path / "a.png")
    box = Detections((np.array([[10.0, 10], [50, 10], [50, 30], [10, 30]]),))
    bare = [Trace(pipeline=name, image=str(tmp_path / "a.png"), detections=box) for name in "ab"]
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert "drawn on the file as Pillow decodes it" in drawn["detections", "both"].caption
    Image.fromarray(page(20, 9000)).save(tmp_path / "a.png")  # the picture is reduced, the coordinates are the file's
    drawn = pictures(tmp_path, "detections", (bare[0], bare[1]))
    assert 'viewBox="0 0 9000 20"' in (tmp_path / drawn["detections", "both"].file).read_text()


def test_boxes_that_are_no_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    train, inference = two()
    broken = Detections((np.full((4, 2), np.nan),))
    drawn = pictures(tmp_path, "detections", (train, replace(inference, detections=broken)))
    assert len(strokes(tmp_path, drawn["detections", "candidate"])) == 0
    assert drawn["detections", "candidate"].caption == "1 box of inference"


def test_huge_pictures_are_reduced_and_say_so(tmp_path: Path) -> None:
    wide = Toy().trace(page(20, 9000))
    drawn = pictures(tmp_path, "preprocessing", (wide, Toy(name="inference").trace(page(20, 9000))))
    assert "shown at 46% of its size" in drawn["decode", "reference"].caption
    assert opened(tmp_path, drawn["decode", "reference"]).shape[1] == 4096


@pytest.mark.parametrize("name", ["a b", "../../etc", "ü.png", "x" * 300, "<script>", "a/b", "", "."])
def test_file_names_are_safe_and_differ(name: str) -> None:
    safe = slug(name, 80)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,90}", safe)
    assert safe not in (".", "..")
    assert safe != slug(f"{name}!", 80)


def test_preparing_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_pictures_of_the_users_stay(project: pytest.Pytester) -> None:
    mine = project.path / "report" / "pictures" / "holiday"
    mine.mkdir(parents=True)
    (mine / "beach-2024.jpg").write_text("mine")
    (mine.parent / "top.svg").write_text("mine")
    project.runpytest(*NO_XDIST, "-k", "training", REPORT)
    assert (mine / "beach-2024.jpg").read_text() == (mine.parent / "top.svg").read_text() == "mine"


def test_a_run_that_compares_nothing_of_ours_leaves_the_report(project: pytest.Pytester) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\ndir = "report"\n')
    project.runpytest(*NO_XDIST, "-k", "training")
    before = (project.path / "report" / "results.json").read_bytes()
    project.makepyfile(test_other="def test_other(): pass")
    project.runpytest(*NO_XDIST, "test_other.py").assert_outcomes(passed=1)
    assert (project.path / "report" / "results.json").read_bytes() == before


def test_a_difference_that_its_test_expects_fails_no_report(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    project.makepyfile(
        test_export="""
        import pytest
        from pytest_ocrparity import DifferenceError, assert_same_detections

        @pytest.mark.ocr_expects_difference
        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            with pytest.raises(DifferenceError, match="moved"):
                assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest(*NO_XDIST, REPORT, "--ocr-github=on")
    assert result.ret == 0
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert {(each["status"], each["outcome"]) for each in results["comparisons"] if each["judged"]} == {
        ("different", "passed")
    }
    assert "::error" not in result.stdout.str()


def test_images_that_a_stopped_run_did_not_reach_are_listed(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    run(project, "-x")
    results = results_of(project)
    assert results["run"]["interrupted"]
    (missed,) = results["not_compared"]
    assert (missed["image"], missed["outcome"]) == ("images/three_words.npy", "not reached")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_unusual_pixels_keep_their_light(dtype: str, channels: int | None) -> None:
    shape = (4, 6) if channels is None else (4, 6, channels)
    drawn = photo(np.full(shape, np.iinfo(dtype).max // 2, dtype), "BGR", "x")
    assert np.asarray(drawn.full).min() == np.asarray(drawn.full).max() in (127, 128)
    assert ("in 8 bits" in drawn.caption) == (dtype == "uint16")


def test_sides_that_decode_other_sizes_say_so(tmp_path: Path) -> None:
    train, inference = two()
    turned = Toy(name="inference").trace(np.ascontiguousarray(PAGE.transpose(1, 0, 2)))
    drawn = pictures(tmp_path, "detections", (train, turned))
    assert "train decoded 96x64 px, inference 64x96 px" in drawn["detections", "both"].caption
    assert "on the image of" not in drawn["detections", "reference"].caption
    bare = replace(train, decode=train.decode.without_pixels() if train.decode else None)
    drawn = pictures(tmp_path, "detections", (bare, inference))
    assert drawn["detections", "reference"].caption.endswith("on the image of inference")
    assert ("decode", "difference") not in pictures(tmp_path, "preprocessing", (bare, inference))


def test_sides_that_lack_a_stage_are_drawn_as_far_as_they_go(tmp_path: Path) -> None:
    train, inference = two()
    half = replace(inference, decode=None, tensor=None, probability_map=None, detections=None)
    assert set(pictures(tmp_path, "preprocessing", (train, half))) == {("decode", "reference"), ("tensor", "reference")}
    assert set(pictures(tmp_path, "probability_maps", (train, half))) == {("probability_map", "reference")}
    assert set(pictures(tmp_path, "detections", (train, half))) == {("detections", "reference")}
    assert pictures(tmp_path, "preprocessing", (half, half_of(inference))) == {}


def half_of(trace: Trace) -> Trace:
    return replace(trace, pipeline="other", decode=None, tensor=None, probability_map=None, detections=None)


def test_a_map_of_several_channels_says_which_is_drawn(tmp_path: Path) -> None:
    train, inference = two()
    assert inference.probability_map is not None
    tripled = replace(inference, probability_map=inference.probability_map.repeat(3, axis=1), parameters={})
    drawn = pictures(tmp_path, "probability_maps", (train, tripled))
    assert drawn["probability_map", "candidate"].caption == "96x64 px, first of 3 channels"


def test_of_several_tests_of_one_image_the_page_shows_the_one_that_failed(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    project.makepyfile(
        test_export="""
        import pytest
        from pytest_ocrparity import assert_same_detections

        @pytest.mark.parametrize("most", [9, 1, 8])
        def test_it(ocr_train_model, ocr_inference_model, ocr_image, most):
            train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            assert_same_detections(train, inference, max_shift=most)
        """
    )
    run_all = project.runpytest(*NO_XDIST, REPORT)
    run_all.assert_outcomes(passed=4, failed=2)
    assert len([each for each in results_of(project)["comparisons"] if each["kind"] == "detections"]) == 6
    shown = page_of(project)
    exceeded = [
        line for line in shown.text.splitlines() if line.startswith("detections.max_shift") and "exceeded" in line
    ]
    assert len(exceeded) == 2  # once per image, under the keyword that failed
    assert all(line.endswith("keyword") for line in exceeded)


def test_when_there_is_no_more_room_thumbnails_stay_files(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("pytest_ocrparity.report.page"), "MOST_INLINE", 20_000)
    run(project)
    shown = Page((project.path / "report" / "index.html").read_text())
    files = [source for source in shown.images if not source.startswith("data:")]
    assert 0 < len(files) < len(shown.images)
    assert all((project.path / "report" / name).is_file() for name in files)


def test_a_folder_that_stops_being_writable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **how: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ReportError, match="cannot write a report there: Permission denied"):
        prepare(tmp_path)
