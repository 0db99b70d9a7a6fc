"""What "equal" means for each comparison: one table of limits, four presets, and who set which limit.

Knows numbers and names; knows nothing of arrays, files or pytest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Annotated, Any, Final, NamedTuple

from pytest_ocrparity.errors import Mistakes, SettingsError, did_you_mean

__all__ = [
    "AUTO",
    "BUILT_IN",
    "LIMITS",
    "OFF",
    "PRESETS",
    "Limit",
    "Tolerance",
    "is_looser_tolerance",
    "parse_tolerance",
]

AUTO: Final = "auto"
"""Let the measured rule of this limit decide (see LIMITS)."""
OFF: Final = "off"
"""Report the amount, but do not judge it."""

TENSOR_LEAST: Final = 2e-6
"""The least automatic `preprocessing.atol`, see LIMITS: what is smaller is rounding."""
MAP_LEAST, MAP_MOST = 1e-4, 1e-2
"""The range of the automatic `probability_maps.atol`: below 1e-4 of noise no box of 13,278 moved; above 1e-2 lie
reduced-precision exports."""
FLOOR_FACTOR: Final = 4.0
"""What of the reference's own sensitivity a map may differ by: right exports of five detectors on nine photos differed
by up to 1.4 x; 4 leaves room for the rest."""
RIGHT_FACTOR: Final = 1.4
"""What of the sensitivity a right export reaches, measured as above."""
POLYGON_IOU: Final = 0.9
"""The automatic `min_iou` of many-point polygons: under 1e-4 of map noise 14,838 of them kept 0.97."""
EQUAL_MAP_SCORE: Final = 1e-5
"""The automatic `max_score_difference` of one map: both post-processes average the same float32 pixels in double
precision."""
AUTOMATIC_SCORE: Final = 0.2
"""The automatic `max_score_difference` where no post-process can be run on the other side's map: one map pixel can
re-fit a rectangle, which moved scores of right exports by up to 0.15."""
UNPAIRED_SCORE: Final = 0.05
"""The automatic `max_score_difference` of equal texts where no maps say it: int8 weights moved a score of a real
network by 0.045, rounding to fp16 by 0.011."""

ACCURACY: Final = "accuracy.max_drop"
"""The limit of a run against labels."""

Value = float | bool | str


class LimitSpec(NamedTuple):
    """What a limit may be: its words beside numbers, its largest number, what it means, and for which task alone.

    `is_above_zero`: no measured amount could keep a limit of 0.
    """

    help: str
    words: tuple[str, ...] = ()
    most: float | None = None
    is_flag: bool = False
    task: str = ""
    is_above_zero: bool = False


LIMITS: Final[Mapping[str, LimitSpec]] = {
    # auto: the two sides fold mean and std differently; with ImageNet's mean and std that moves a tensor by 7.2e-7
    # (measured in tests/real/test_presets.py). 4 ulp covers other means, 2e-6 covers the usual ones.
    # A pixel is at most 255 and normalising divides it: beyond that even a black page would pass for a white one.
    "preprocessing.atol": LimitSpec(
        "largest tensor difference; auto: 4 ulp of max(abs(x), mean/std), at least 2e-6", (AUTO,), 255.0
    ),
    # auto: right exports differ by 0 to 2.1e-3 depending on the network's conditioning, which `compare.sensitivity`
    # measures within 1.4x (nine photos, five real detectors; again in tests/real). Below 1e-4 no box of 13,278 moved.
    # Two probabilities differ by 1 at most.
    "probability_maps.atol": LimitSpec(
        "largest map difference; auto: 4 x the reference's own sensitivity, within 1e-4 to 1e-2", (AUTO, OFF), 1.0
    ),
    "probability_maps.mean_atol": LimitSpec("mean map difference", (OFF,), 1.0),
    "probability_maps.max_share": LimitSpec("share of pixels that may exceed atol", most=1.0),
    "probability_maps.max_crossings": LimitSpec("pixels that may change side of `thresh`", (OFF,)),
    # A recogniser's text changes only where the best class of a timestep does, as boxes do where pixels cross `thresh`.
    # fp16 weights changed 1 of 1,537 timesteps of a real recogniser, int8 per channel 15 (20 lines).
    "probability_maps.max_changed": LimitSpec(
        "of recognisers: share of timesteps whose best class may change", (OFF,), 1.0, task="recognition"
    ),
    "probability_maps.per_run": LimitSpec("true: judge mean_atol over the run, not the image", is_flag=True),
    # auto: a quad's shift bounds it already, and one pixel is much IoU on small boxes; polygons 0.9.
    "detections.min_iou": LimitSpec(
        "smallest IoU of a pair; auto: quads by max_shift alone, polygons 0.9", (AUTO,), 1.0
    ),
    # 13,278 quads (four real detectors, 35 photos) under map noise of 1e-4 to 1e-3 moved by at most 1 source px or
    # 1 map px.
    "detections.max_shift": LimitSpec(
        "largest vertex distance of a quad, boundary distance of a polygon, in map px, plus 1 source px of rounding",
        (OFF,),
    ),
    # auto: both post-processes average the same float32 pixels in double precision, so that the reference's, run on the
    # candidate's map, gives each score to 1e-5. Without it 0.2, as one map pixel can re-fit a rectangle and move its
    # score by 0.15 (AUTOMATIC_SCORE).
    "detections.max_score_difference": LimitSpec(
        "largest score difference of a pair; auto: 1e-5 from what the reference's post-process gives on the "
        "candidate's map, else 0.2",
        (AUTO, OFF),
        1.0,
    ),
    "detections.max_borderline": LimitSpec("share of a run's boxes that may be borderline", most=1.0),
    "detections.max_unmatched": LimitSpec("share of boxes that may have no partner within the limits", most=1.0),
    "detections.per_run": LimitSpec("true: judge max_unmatched over the run, not the image", is_flag=True),
    "detections.allow_empty": LimitSpec("true: no box on either side may pass", is_flag=True),
    "text.max_cer": LimitSpec(
        "largest character error rate of a line that counts as read alike: edits per character", (OFF,)
    ),
    "text.max_changed": LimitSpec("share of a run's lines that may be read otherwise", most=1.0),
    # A text changes only where the maps' difference moves the best class of a timestep: under fp32's limits at most 1
    # of 1,537 timesteps of 20 real lines has a margin that small.
    "text.max_borderline": LimitSpec(
        "share of a run's lines that may be borderline; one line may, unless it is 0", most=1.0
    ),
    # auto: a score is the mean of values of the map, which moves by at most as much as they do.
    "text.max_score_difference": LimitSpec(
        "largest score difference of equal texts; auto: the maps' own largest difference and 1e-5 where both sides "
        "kept the same timesteps, what both decoders make of the maps where they did not, else 0.05",
        (AUTO, OFF),
        1.0,
    ),
    "text.per_run": LimitSpec("true: judge max_cer over the run, not the line", is_flag=True),
    "text.allow_empty": LimitSpec("true: no text on either side may pass", is_flag=True),
    # As evaluate.verdict.MAX_DROP. Other gates permit 1 % too (MLPerf's closed division, Olive). A loss of 0.8 points
    # shows on about 65 pages of 12 boxes with a power of 80 % (simulated, pages resampled).
    ACCURACY: LimitSpec(
        "with `labels`: what the hmean, or a recogniser's accuracy, may drop by over a run, up to 0.5; where a preset "
        "sets it, only a proved drop fails",
        (OFF,),
        0.5,
        is_above_zero=True,
    ),
}

PAGE_SCORE: Final = 0.2
"""How far the scores of equal texts of a page may differ under "auto". Its lines are read in batches, each filled up to
the widest, which moved the score of a line of a real recogniser's right export by up to 0.135."""

_OF_STAGE: Final = {
    stage: [name for name in LIMITS if name.startswith(f"{stage}.")]
    for stage in dict.fromkeys(name.partition(".")[0] for name in LIMITS)
}

_FP32: Final[Mapping[str, Value]] = {
    "preprocessing.atol": AUTO,
    "probability_maps.atol": AUTO,
    "probability_maps.mean_atol": OFF,
    "probability_maps.max_share": 0.0,
    "probability_maps.max_crossings": OFF,
    "probability_maps.per_run": False,
    "detections.min_iou": AUTO,
    "detections.max_shift": 1.0,
    "detections.max_score_difference": AUTO,
    "detections.max_borderline": 0.02,
    "detections.max_unmatched": 0.0,
    "detections.per_run": False,
    "detections.allow_empty": False,
    "probability_maps.max_changed": OFF,
    "text.max_cer": 0.0,
    "text.max_changed": 0.0,
    "text.max_borderline": 0.02,
    "text.max_score_difference": AUTO,
    "text.per_run": False,
    "text.allow_empty": False,
    ACCURACY: 0.01,
}

# Of recognisers the presets rest on 20 lines of one real network: fp16 weights changed no text and moved a score by
# 0.011, int8 per channel changed 2 texts, a character in 140, and moved a score by 0.045.
# fp16 convolution weights left 0 of 750 and 8 of 895 boxes without a partner on two real detectors, and 14 of 62 on
# one that they damaged; int8 31 of 750; tests/real/test_presets.py has the example's. 0.5 is the IoU of PaddleOCR's
# own evaluator.
_REDUCED: Final[Mapping[str, Value]] = {
    **_FP32,
    "probability_maps.atol": OFF,
    "probability_maps.per_run": True,
    "detections.min_iou": 0.5,
    "detections.max_shift": OFF,
    "detections.max_score_difference": OFF,
    "detections.max_borderline": 1.0,
    "detections.per_run": True,
    "text.max_cer": OFF,
    "text.max_borderline": 1.0,
    "text.per_run": True,
}

PRESETS: Final[Mapping[str, Mapping[str, Value]]] = {
    "exact": {
        **_FP32,
        "preprocessing.atol": 0.0,
        "probability_maps.atol": 0.0,
        "detections.min_iou": 1.0,
        "detections.max_shift": 0.0,
        "detections.max_score_difference": 0.0,
        "detections.max_borderline": 0.0,
        "text.max_borderline": 0.0,
        "text.max_score_difference": 0.0,
    },
    "fp32": _FP32,
    "fp16": {
        **_REDUCED,
        "probability_maps.mean_atol": 5e-4,
        "detections.max_unmatched": 0.02,
        "probability_maps.max_changed": 0.005,
        "text.max_changed": 0.02,
        "text.max_score_difference": 0.02,
    },
    "int8": {
        **_REDUCED,
        "probability_maps.mean_atol": 2e-3,
        "detections.max_unmatched": 0.06,
        "probability_maps.max_changed": 0.02,
        "text.max_cer": 0.01,
        "text.max_changed": 0.1,
        "text.max_score_difference": 0.05,
    },
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit's value and who set it."""

    value: Value
    origin: Annotated[str, "who set it"]
    is_preset: Annotated[bool, "true: its value is a preset's, which nobody set by the limit's name"] = False


def _checked_limit(name: str, value: Any, origin: str) -> Value:
    """Return a usable value of the limit `name` or raise SettingsError."""
    spec = LIMITS[name]
    if spec.is_flag:
        if isinstance(value, bool):
            return value
        raise SettingsError(f"{origin}: {name} is true or false, not {value!r}")
    if isinstance(value, str) and value in spec.words:
        return value
    number = _limit_number(value)
    if not 0 <= number < float("inf"):
        words = "".join(f" or {word!r}" for word in spec.words)
        raise SettingsError(f"{origin}: {name} is a number from 0 up{words}, not {value!r}")
    if spec.is_above_zero and not number:
        raise SettingsError(f"{origin}: {name} is a number above 0, as no number of images excludes every drop")
    if spec.most is not None and number > spec.most:
        without = f'; "{OFF}" reports the amount and judges nothing by it' if OFF in spec.words else ""
        raise SettingsError(f"{origin}: {name} is at most {spec.most:g}, not {value!r}{without}")
    return number


def _limit_number(value: Any) -> float:
    """Return a number as float: NaN for what is none, infinity for one that no float holds."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """All limits, each with its origin. Immutable: `override` returns another one."""

    limits: Mapping[str, Limit]

    @classmethod
    def preset(cls, name: str, origin: str) -> Tolerance:
        """Return the limits of one of PRESETS. Raises SettingsError for another name."""
        if name not in PRESETS:
            raise SettingsError(f"{origin}: no tolerance preset {name!r}; {did_you_mean(name, PRESETS)}")
        return cls(
            {limit: Limit(value, f"{name} preset, {origin}", is_preset=True) for limit, value in PRESETS[name].items()}
        )

    def __getitem__(self, name: str) -> Limit:
        """Return the limit called `stage.limit`."""
        return self.limits[name]

    def of(self, stage: str, task: str) -> dict[str, Limit]:
        """Return the limits of one stage by their names, those that are for this task."""
        return {name: self.limits[name] for name in _OF_STAGE[stage] if LIMITS[name].task in ("", task)}

    def for_task(self, task: str) -> Tolerance:
        """Return the limits as they judge models of a task.

        A recogniser's maps have thousands of classes, of which all but a few are 0: a mean of them that a preset sets
        for detectors would permit anything, so that it is off. One that is set by name is judged.
        """
        name = "probability_maps.mean_atol"
        if task != "recognition" or name not in self.limits or not self.limits[name].is_preset:
            return self
        return Tolerance({**self.limits, name: replace(self.limits[name], value=OFF)})

    def override(self, values: Tolerance | Mapping[str, Any] | str | None, origin: str) -> Tolerance:
        """Return these limits with some replaced.

        Args:
            values: a preset's name, which replaces all but an `accuracy.max_drop` of the user's own, of which a
                precision knows nothing; or `{"preset": name, stage: {limit: value}}`, where the preset does so and the
                limits follow; or a whole Tolerance; or None for no change.
            origin: who says so, for messages.

        Raises:
            SettingsError: an unknown preset, stage or limit, or a value that means nothing; a line for each.
        """
        if values is None or isinstance(values, Tolerance):
            return values or self
        if isinstance(values, str):
            return self._with_preset(values, origin)
        if not isinstance(values, Mapping):
            raise SettingsError(f"{origin}: a tolerance is a preset's name or a table, not {values!r}")
        mistakes, base = Mistakes(), self
        with mistakes.gathering():
            base = self._with_preset(str(values["preset"]), origin) if "preset" in values else self
        limits = dict(base.limits)
        for stage, table in values.items():
            if stage == "preset":
                continue
            with mistakes.gathering():
                _check_stage(stage, table, origin)
                for key, value in table.items():
                    with mistakes.gathering():
                        limits[f"{stage}.{key}"] = Limit(
                            _checked_limit(_known_limit(stage, key, origin), value, origin), origin
                        )
        mistakes.raise_any()
        return Tolerance(limits)

    def of_assertion(self, values: Tolerance | Mapping[str, Any] | str | None) -> Tolerance:
        """Return a test's limits under those of an assertion's argument, but for `accuracy.max_drop`: it is a run's.

        Raises:
            SettingsError: as `override` does, or the argument sets that one.
        """
        found = self.override(values, "tolerance=")
        drop, own = found.limits.get(ACCURACY), self.limits.get(ACCURACY)
        if drop is None or own is None or drop == own:
            return found
        if not drop.is_preset:
            raise SettingsError(
                f"tolerance=: {ACCURACY} judges the images of a run, and not one by one: mark the test with "
                f'@pytest.mark.ocr_tolerance(accuracy={{"max_drop": {drop.value!r}}})'
            )
        return Tolerance({**found.limits, ACCURACY: own})

    def _with_preset(self, name: str, origin: str) -> Tolerance:
        found, own = Tolerance.preset(name, origin), self.limits.get(ACCURACY)
        return found if own is None or own.is_preset else Tolerance({**found.limits, ACCURACY: own})


def _check_stage(stage: str, table: Any, origin: str) -> None:
    """Raise SettingsError for an unknown stage, or one whose limits are no table."""
    if stage not in _OF_STAGE:
        known = (*_OF_STAGE, "preset")
        raise SettingsError(f"{origin}: no tolerance stage {stage!r}; {did_you_mean(stage, known)}")
    if not isinstance(table, Mapping):
        raise SettingsError(f"{origin}: {stage} is a table of limits, not {table!r}")


def _known_limit(stage: str, key: str, origin: str) -> str:
    """Return the name of a stage's limit, or raise SettingsError."""
    name = f"{stage}.{key}"
    if name not in LIMITS:
        own = [known.partition(".")[2] for known in _OF_STAGE[stage]]
        raise SettingsError(f"{origin}: {stage} has no limit {key!r}; {did_you_mean(key, own)}")
    return name


def parse_tolerance(text: str) -> Mapping[str, Any]:
    """Parse `PRESET` or `stage.limit=value` of the command line into what `Tolerance.override` takes.

    Raises:
        SettingsError: the text has neither form.
    """
    name, equals, raw = text.partition("=")
    if not equals and name not in LIMITS:
        return {"preset": text}
    stage, dot, key = name.partition(".")
    if not dot or not raw:
        raise SettingsError(
            f"--ocr-tolerance={text}: write a preset or stage.limit=value; {did_you_mean(name, LIMITS)}"
        )
    return {stage: {key: _limit_literal(raw)}}


def _limit_literal(raw: str) -> Value:
    if raw in ("true", "false"):
        return raw == "true"
    try:
        return float(raw)
    except ValueError:
        return raw


_STRICTEST: Final[Mapping[str, float]] = {
    "preprocessing.atol": TENSOR_LEAST,
    "probability_maps.atol": MAP_LEAST,
    "detections.min_iou": POLYGON_IOU,
    "detections.max_score_difference": EQUAL_MAP_SCORE,
    "text.max_score_difference": EQUAL_MAP_SCORE,
}
"""The strictest limits that the automatic rules of the fp32 preset can set."""


def is_looser_tolerance(name: str, value: Value) -> bool:
    """Return whether a limit permits what the fp32 preset does not, at least for some networks or images."""
    usual = _FP32[name]
    if value == usual or usual == OFF:  # what fp32 does not judge, any number judges
        return False
    if value == OFF or LIMITS[name].is_flag:
        return True
    strictest = float(_STRICTEST.get(name, usual))
    return float(value) < strictest if name == "detections.min_iou" else float(value) > strictest


BUILT_IN: Final = Tolerance.preset("fp32", "built-in")
