"""The limits: presets, layers, origins, and one clear error per mistake."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity import tolerance
from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.evaluate.verdict import MAX_DROP
from pytest_ocrparity.tolerance import BUILT_IN, LIMITS, PRESETS, Limit, Tolerance, is_looser_tolerance, parse_tolerance


def test_every_preset_sets_every_limit() -> None:
    for name, preset in PRESETS.items():
        assert preset.keys() == LIMITS.keys(), name


def test_limits_cannot_be_changed() -> None:
    for known, name in ((BUILT_IN, "limits"), (BUILT_IN["detections.min_iou"], "value")):
        with pytest.raises(FrozenInstanceError):
            setattr(known, name, None)
        assert not hasattr(known, "__dict__")


def test_every_value_of_a_preset_is_one_that_a_user_may_write() -> None:
    for preset in PRESETS.values():
        for limit, value in preset.items():
            stage, _, key = limit.partition(".")
            assert BUILT_IN.override({stage: {key: value}}, "test")[limit].value == value


def test_layers_replace_limit_by_limit_and_say_who_did() -> None:
    file = BUILT_IN.override({"preset": "fp16", "detections": {"min_iou": 0.8}}, "pyproject.toml")
    marker = file.override({"detections": {"max_shift": 2}}, "marker")
    assert marker["detections.min_iou"].origin == "pyproject.toml"
    assert marker["detections.max_shift"].value == 2.0
    assert marker["detections.max_shift"].origin == "marker"
    assert marker["probability_maps.mean_atol"].origin == "fp16 preset, pyproject.toml"


def test_what_a_preset_sets_is_known_as_that_whatever_the_file_is_called() -> None:
    file = "/srv/presets/fp16 preset/pyproject.toml"
    by_name = BUILT_IN.override({"accuracy": {"max_drop": 0.01}, "probability_maps": {"mean_atol": 0.1}}, file)
    by_preset = BUILT_IN.override("fp16", "a.toml")
    for name, value in (("accuracy.max_drop", 0.01), ("probability_maps.mean_atol", 0.1)):
        assert not by_name[name].is_preset and by_preset[name].is_preset and BUILT_IN[name].is_preset
        assert by_name.for_task("recognition")[name].value == value
    assert by_preset.for_task("recognition")["probability_maps.mean_atol"] == Limit(
        "off", by_preset["probability_maps.mean_atol"].origin, is_preset=True
    )


def test_a_preset_replaces_all_below_it() -> None:
    assert (
        BUILT_IN.override({"detections": {"min_iou": 0.5}}, "file")
        .override("fp32", "marker")["detections.min_iou"]
        .value
        == "auto"
    )


def test_nothing_changes_nothing() -> None:
    other = Tolerance.preset("int8", "x")
    assert BUILT_IN.override(None, "x") is BUILT_IN
    assert BUILT_IN.override(other, "x") is other


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ("fp61", "no tolerance preset 'fp61'; did you mean 'fp16'"),
        ("zzz", "no tolerance preset 'zzz'; known: exact, fp16, fp32, int8"),
        ({"preset": "half"}, "no tolerance preset 'half'"),
        ({"detection": {}}, "no tolerance stage 'detection'; did you mean 'detections'"),
        ({"detections": 3}, "detections is a table of limits, not 3"),
        ({"detections": {"min_uoi": 1}}, "detections has no limit 'min_uoi'; did you mean 'min_iou'"),
        ({"detections": {"min_iou": "high"}}, "min_iou is a number from 0 up or 'auto', not 'high'"),
        ({"detections": {"min_iou": True}}, "min_iou is a number from 0 up or 'auto', not True"),
        ({"detections": {"min_iou": 1.5}}, "min_iou is at most 1, not 1.5"),
        (
            {"probability_maps": {"atol": 1e9}},
            'atol is at most 1, not 1000000000.0; "off" reports the amount and judges',
        ),
        ({"probability_maps": {"mean_atol": 1.01}}, "mean_atol is at most 1, not 1.01"),
        ({"preprocessing": {"atol": 256}}, "preprocessing.atol is at most 255, not 256$"),
        ({"detections": {"max_shift": -1}}, "max_shift is a number from 0 up or 'off', not -1"),
        ({"detections": {"max_shift": float("nan")}}, "not nan"),
        ({"detections": {"max_shift": 10**400}}, "max_shift is a number from 0 up or 'off', not 1000"),
        ({"detections": {"allow_empty": 1}}, "allow_empty is true or false, not 1"),
        (7, "a tolerance is a preset's name or a table, not 7"),
    ],
)
def test_a_mistake_is_named_with_its_origin_and_the_nearest_word(values: Any, text: str) -> None:
    with pytest.raises(SettingsError, match=text) as error:
        BUILT_IN.override(values, "marker")
    assert str(error.value).startswith("marker: ")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fp16", {"preset": "fp16"}),
        ("detections.min_iou=0.9", {"detections": {"min_iou": 0.9}}),
        ("probability_maps.atol=off", {"probability_maps": {"atol": "off"}}),
        ("detections.allow_empty=true", {"detections": {"allow_empty": True}}),
    ],
)
def test_the_command_line_form(text: str, values: dict[str, Any]) -> None:
    assert parse_tolerance(text) == values


@pytest.mark.parametrize(("name", "value"), [("probability_maps.atol", 1), ("preprocessing.atol", 255)])
def test_the_largest_that_means_something_is_taken(name: str, value: float) -> None:
    stage, _, key = name.partition(".")
    assert BUILT_IN.override({stage: {key: value}}, "marker")[name].value == value


@pytest.mark.parametrize(
    ("name", "strict", "loose"),
    [
        ("preprocessing.atol", 2e-6, 1e-3),
        ("probability_maps.atol", 1e-4, 1e-3),
        ("probability_maps.atol", 0.0, "off"),
        ("probability_maps.max_share", 0.0, 0.01),
        ("probability_maps.per_run", False, True),
        ("detections.min_iou", 0.9, 0.89),
        ("detections.min_iou", 1.0, 0.0),
        ("detections.max_shift", 1.0, 1.1),
        ("detections.max_shift", 0.0, "off"),
        ("detections.max_score_difference", 1e-5, 0.1),
        ("detections.max_score_difference", 0.0, "off"),
        ("detections.max_borderline", 0.02, 0.03),
        ("detections.max_unmatched", 0.0, 0.01),
        ("detections.allow_empty", False, True),
    ],
)
def test_which_limits_permit_more_than_fp32(name: str, strict: float | bool, loose: float | bool | str) -> None:
    assert not is_looser_tolerance(name, PRESETS["fp32"][name])
    assert not is_looser_tolerance(name, strict)
    assert is_looser_tolerance(name, loose)


@pytest.mark.parametrize("name", ["probability_maps.mean_atol", "probability_maps.max_crossings"])
def test_what_fp32_does_not_judge_permits_no_more_when_it_is_judged(name: str) -> None:
    assert not is_looser_tolerance(name, 1.0)
    assert not is_looser_tolerance(name, "off")


def test_an_option_of_neither_form_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--ocr-tolerance=min_iou=1: write a preset or stage.limit=value"):
        parse_tolerance("min_iou=1")


def test_a_drop_of_nothing_is_refused_as_no_number_of_images_excludes_it() -> None:
    with pytest.raises(SettingsError, match=r"marker: accuracy.max_drop is a number above 0, as no number of images"):
        BUILT_IN.override({"accuracy": {"max_drop": 0}}, "marker")
    assert BUILT_IN.override({"accuracy": {"max_drop": 0.001}}, "marker")["accuracy.max_drop"].value == 0.001
    assert PRESETS["fp32"]["accuracy.max_drop"] == MAX_DROP


def test_a_drop_of_accuracy_of_the_users_own_outlasts_a_preset() -> None:
    own = BUILT_IN.override({"accuracy": {"max_drop": 0.005}}, "pyproject.toml")
    for preset in ("int8", {"preset": "int8"}):
        found = own.override(preset, "command line")
        assert found["accuracy.max_drop"] == own["accuracy.max_drop"]
        assert found["detections.max_shift"] == Tolerance.preset("int8", "command line")["detections.max_shift"]
        assert BUILT_IN.override(preset, "command line")["accuracy.max_drop"].origin == "int8 preset, command line"
    both = own.override({"preset": "int8", "accuracy": {"max_drop": 0.02}}, "command line")
    assert both["accuracy.max_drop"].value == 0.02


def documented() -> list[list[str]]:
    """Return the cells of the documented table of limits: name, one value per preset, meaning."""
    page = Path(__file__).parents[2].joinpath("docs", "reference", "settings.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in page.splitlines() if line.startswith("| `")]
    return [row for row in rows if row[0].strip("`") in LIMITS]


def test_each_number_of_a_preset_is_the_documented_one() -> None:
    """A preset is a promise: who changes a number of one changes the page, or finds out here."""
    rows = documented()
    assert {row[0].strip("`") for row in rows} == set(LIMITS)
    for name, *values, meaning in rows:
        limit = name.strip("`")
        assert [json.loads(value.strip("`")) for value in values] == [
            PRESETS[preset][limit] for preset in ("exact", "fp32", "fp16", "int8")
        ]
        assert meaning == LIMITS[limit].help


def test_the_constants_of_the_rules_are_those_that_were_measured() -> None:
    assert (tolerance.TENSOR_LEAST, tolerance.MAP_LEAST, tolerance.MAP_MOST) == (2e-6, 1e-4, 1e-2)
    assert (tolerance.FLOOR_FACTOR, tolerance.RIGHT_FACTOR, tolerance.POLYGON_IOU) == (4.0, 1.4, 0.9)
    assert (tolerance.EQUAL_MAP_SCORE, tolerance.AUTOMATIC_SCORE, tolerance.UNPAIRED_SCORE) == (1e-5, 0.2, 0.05)


SHARES = (
    *(f"probability_maps.{name}" for name in ("atol", "mean_atol", "max_share", "max_changed")),
    *(f"detections.{name}" for name in ("min_iou", "max_score_difference", "max_borderline", "max_unmatched")),
    *("text.max_changed", "text.max_borderline", "text.max_score_difference"),
)
MOST = {**dict.fromkeys(SHARES, 1.0), "preprocessing.atol": 255.0, "accuracy.max_drop": 0.5}
FLAGS = {name for name in LIMITS if name.endswith(("per_run", "allow_empty"))}


@pytest.mark.parametrize("name", LIMITS)
def test_what_a_limit_may_be(name: str) -> None:
    stage, _, key = name.partition(".")

    def takes(value: object) -> bool:
        try:
            return bool(BUILT_IN.override({stage: {key: value}}, "marker")[name].value == value)
        except SettingsError:
            return False

    assert takes(True) == takes(False) == (name in FLAGS)
    if name in FLAGS:
        assert not (takes(1) or takes("auto") or takes("off"))
        return
    most = MOST.get(name)
    assert takes(1e9 if most is None else most)
    assert takes(0) == takes(0.0) == (name != "accuracy.max_drop")
    assert takes(float("inf")) == takes(-1e-9) == takes("high") == takes([1]) == False  # noqa: E712
    assert most is None or not takes(most * 1.001)
    automatic = {each for each, value in PRESETS["fp32"].items() if value == "auto"}
    assert takes("auto") == (name in automatic)
    off_for_some = {each for preset in PRESETS.values() for each, value in preset.items() if value == "off"}
    assert takes("off") or name not in off_for_some
    assert not takes("off") or name in {*off_for_some, "accuracy.max_drop", "text.max_score_difference"}


@pytest.mark.parametrize("task", ["detection", "recognition"])
def test_the_limits_of_a_task(task: str) -> None:
    found = BUILT_IN.of("probability_maps", task)
    assert ("probability_maps.max_changed" in found) == (task == "recognition")
    assert {name.partition(".")[0] for name in found} == {"probability_maps"}
    assert len(found) == 5 + (task == "recognition")
    fp16 = Tolerance.preset("fp16", "x")
    judged = fp16.for_task(task)["probability_maps.mean_atol"]
    assert judged.value == ("off" if task == "recognition" else 5e-4)
    by_name = fp16.override({"probability_maps": {"mean_atol": 0.1}}, "marker")
    assert by_name.for_task(task) is by_name
    assert Tolerance({}).for_task(task).limits == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("1e-3", 0.001), ("auto", "auto"), ("True", "True"), ("7", 7.0)],
)
def test_how_a_value_is_read_from_the_command_line(text: str, value: object) -> None:
    (found,) = parse_tolerance(f"detections.x={text}")["detections"].values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["detections.min_iou", "detections.min_iou=", "=1", ".=", "min_iou=1"])
def test_what_is_neither_a_preset_nor_a_limit_with_a_value_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write a preset or stage\.limit=value"):
        parse_tolerance(text)


def test_each_mistake_is_named() -> None:
    wrong = {"detections": {"min_iou": 2, "max_shift": -1}, "nothing": {}, "preset": "fp61"}
    with pytest.raises(SettingsError) as error:
        BUILT_IN.override(wrong, "marker")
    for text in (
        "min_iou is at most 1",
        "max_shift is a number from 0 up",
        "no tolerance stage",
        "no tolerance preset",
    ):
        assert text in str(error.value)


@pytest.mark.parametrize(("name", "value"), [("text.max_score_difference", 1.1e-5), ("text.max_cer", "off")])
def test_which_limits_of_texts_permit_more(name: str, value: float | str) -> None:
    assert is_looser_tolerance(name, value)
    assert not is_looser_tolerance("text.max_score_difference", 1e-5)
    assert not is_looser_tolerance("text.max_cer", 0.0)


def test_an_assertion_takes_all_limits_but_that_of_a_run() -> None:
    own = BUILT_IN.override({"accuracy": {"max_drop": 0.2}}, "marker")
    for known in (BUILT_IN, own):
        for given in (None, "int8", {"preset": "int8"}, Tolerance.preset("int8", "mine"), known):
            found = known.of_assertion(given)
            assert found["accuracy.max_drop"] == known["accuracy.max_drop"]
            assert found["detections.per_run"].value == (given not in (None, known))
        for table in ({"accuracy": {"max_drop": 0.3}}, BUILT_IN.override({"accuracy": {"max_drop": 0.3}}, "mine")):
            with pytest.raises(SettingsError, match=r'judges the images of a run, .*\(accuracy={"max_drop": 0.3}\)$'):
                known.of_assertion(table)
