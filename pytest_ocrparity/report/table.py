"""Add up what a run compared: its table, and the faults that only a whole run can show.

Works on the plain records that tests leave behind, so that it can run in another process than they did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_ocrparity.comparison import LEAST, ROUGHLY
from pytest_ocrparity.stages import KINDS
from pytest_ocrparity.tolerance import OFF, is_looser

Record = Mapping[str, Any]
"""One thing that a test did, in JSON types; `what` is used, loads, compared, failed or golden."""

PLAIN = ("reference", "candidate")
"""What sides are called that are no traces."""


@dataclass(slots=True)
class Tally:
    """The records of a run, by test."""

    records: Mapping[str, Sequence[Record]]

    def all(self, what: str) -> list[Record]:
        """Return the records of one sort, in the order of the tests."""
        return [record for records in self.records.values() for record in records if record["what"] == what]

    def faults(
        self, *, allow_empty: bool, is_recording: bool, causes: Mapping[tuple[str, str], str] | None = None
    ) -> list[str]:
        """Return a sentence for each reason why the whole run fails, whatever its tests said.

        `causes` are, by pair of sides, what is to be said beside a limit that the run as a whole breaks.
        """
        if is_recording and not self.all("golden"):
            if any(record["fixture"] == "ocr_golden" for record in self.all("used")):
                return ["nothing was recorded: the tests that asked ocr_golden for a baseline failed before"]
            return ["nothing was recorded: no test asked ocr_golden for a baseline"]
        if not any(self.records.values()):
            return []
        compared = [record for record in self.all("compared") if record["status"] != "recorded"]
        if not compared and not any(record["recorded"] for record in self.all("golden")):
            return ["nothing was compared: tests used ocrparity's fixtures, and none reached an assertion"]
        found = [f"{text}{(causes or {}).get(sides, '')}" for sides, text in over_the_run(compared)]
        return [*_all_empty(compared, allow_empty), *found]

    def table(self, *, per_image: bool) -> list[str]:
        """Return the run's table as lines: one per sort of comparison, or one per image and sort."""
        compared = self.all("compared")
        lines = []
        for sides in dict.fromkeys((record["reference"], record["candidate"]) for record in compared):
            chosen = [record for record in compared if (record["reference"], record["candidate"]) == sides]
            images = len({record["image"] for record in chosen})
            lines.append(f"{sides[1]} against {sides[0]}: {images} image{'s' * (images != 1)}")
            if all(record.get("has_same_files") for record in chosen):
                lines.append("  both sides come from the same model files: only engine, options or versions can differ")
            for kind in KINDS:
                rows = [record for record in chosen if record["kind"] == kind]
                if rows:
                    lines.append(_row(kind.replace("_", " "), rows))
                if per_image:
                    lines += [_row(f"  {record['image']}", [record], is_one_image=True) for record in rows]
            lines += _roughly_judged(chosen)
            lines += self._never_compared(sides, chosen)
        return lines + self._golden_lines()

    def loosened(self) -> list[str]:
        """Return a line that names the limits in force that may permit more than the fp32 preset, or nothing."""
        found: dict[str, dict[str, None]] = {}
        for record in self.all("compared"):
            for name, limit in record["limits"].items():
                if is_looser(name, limit["value"]) and _is_judged_by(name, record):
                    found.setdefault(limit["origin"], {})[f"{name} = {_written(limit['value'])}"] = None
        named = [f"{', '.join(limits)} ({origin})" for origin, limits in found.items()]
        return [f"limits that may permit more than the fp32 preset: {'; '.join(named)}"] if named else []

    def _never_compared(self, sides: tuple[Any, Any], chosen: Sequence[Record]) -> list[str]:
        """Return a line that names what no test compared of two sides, or nothing; plain polygons have no more."""
        others = [
            other
            for failure in self.all("failed")
            if (failure["reference"], failure["candidate"]) == sides
            for other in failure["others"]
        ]
        compared = {record["kind"] for record in (*chosen, *others)}
        missing = [kind.replace("_", " ") for kind in KINDS if kind not in compared]
        return [f"  never compared: {', '.join(missing)}"] if missing and sides != PLAIN else []

    def _golden_lines(self) -> list[str]:
        recorded = {record["image"]: record for record in self.all("golden") if record["recorded"]}
        if not recorded:
            return []
        lines = [f"{len(recorded)} baseline{'s' * (len(recorded) != 1)} recorded from {_sides(recorded.values())}"]
        if any(record["status"] == "recorded" for record in self.all("compared")):
            lines.append("recorded, not compared: a side always equals its own baseline")
        lines += [f"  {image}: {record['drift']}" for image, record in recorded.items() if record["drift"]]
        return lines


def _is_judged_by(name: str, record: Record) -> bool:
    """Tell whether this limit takes part: `min_iou` widens nothing where quads are judged by their shift."""
    if name != "detections.min_iou" or record["limits"]["detections.max_shift"]["value"] == OFF:
        return True
    types = [(p["reference"], p["candidate"]) for p in record["parameters"] if p["name"] == "box_type"]
    return any("poly" in both for both in types)


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _roughly_judged(records: Sequence[Record]) -> list[str]:
    """Return a line where scores were not judged exactly."""
    limits = {
        float(measure["limit"])
        for record in records
        for measure in record["measures"]
        if measure["limit"] is not None and measure["origin"].endswith(ROUGHLY)
    }
    return [f"  scores were judged within {limit:g} only{ROUGHLY}" for limit in sorted(limits)]


def _all_empty(compared: Sequence[Record], allow_empty: bool) -> list[str]:
    boxes = [record for record in compared if record["kind"] == "detections" and record["counts"]]
    if allow_empty or not boxes or any(record["status"] != "empty" for record in boxes):
        return []
    return [
        f"no image of this run has a box ({len(boxes)} compared): nothing shows that the model detects; "
        "add an image with text"
    ]


RUN_LIMITS = {
    "detections.max_borderline": ("borderline", "of the boxes are borderline"),
    "detections.max_unmatched": ("different", "of the boxes have no partner"),
    "probability_maps.mean_atol": (None, "is the maps' mean difference"),
}


def over_the_run(compared: Sequence[Record]) -> list[tuple[tuple[str, str], str]]:
    """Judge the limits that hold for a run and not for an image; other sides and other limits are judged apart.

    Returns, for each that is broken, the two sides and a sentence.
    """
    groups: dict[tuple[Any, ...], list[tuple[Record, float]]] = {}
    for record in compared:
        for measure in record["measures"]:
            if measure["name"] in RUN_LIMITS and not measure["decides"] and measure["limit"] is not None:
                key = measure["name"], measure["limit"], measure["origin"], record["reference"], record["candidate"]
                groups.setdefault(key, []).append((record, measure["value"]))
    faults: list[tuple[tuple[str, str], str]] = []
    for (name, limit, origin, *sides), members in groups.items():
        count, words = RUN_LIMITS[name]
        if count is None:
            amounts = [value for _, value in members]
            amount, total = sum(amounts), len(members)
        else:
            amounts = [record["counts"][count] for record, _ in members]
            total = sum(record["counts"]["boxes"] for record, _ in members)
            amount = sum(amounts)
        if total and not amount / total <= limit:
            written = f"{amount / total:.1e}" if count is None else f"{amount / total:.1%} ({amount} of {total})"
            ranked = sorted(zip(amounts, members, strict=True), key=lambda pair: pair[0], reverse=True)
            worst = ", ".join(str(member[0]["image"]) for value, member in ranked[:3] if value)
            where = f"{sides[1]} against {sides[0]}, most in {worst}"
            text = f"over the run {written} {words}, limit {limit:g} ({name}, {origin}); {where}"
            faults.append(((sides[0], sides[1]), text))
    return faults


def _sides(records: Iterable[Record]) -> str:
    return ", ".join(sorted({record["reference"] for record in records}))


def _row(name: str, rows: Sequence[Record], is_one_image: bool = False) -> str:
    """Return one line: how many of each status, the worst amount, and how much of the limit is left."""
    told = rows[0]["status"] if is_one_image else told_statuses(rows)
    return f"  {name:<32} {told:<24} {amounts(rows)}".rstrip()


def told_statuses(rows: Sequence[Record]) -> str:
    """Return how many comparisons ended how, such as "1 different, 13 same"."""
    statuses = [record["status"] for record in rows]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))


SHOWN = {
    "preprocessing.atol": ("tensor", ""),
    "probability_maps.atol": ("map", ""),
    "detections.max_shift": ("shift", " map px"),
}


def amounts(rows: Sequence[Record]) -> str:
    """Return how many boxes differ; where none does, the worst amount of the leading measure with its headroom."""
    different = sum(record["counts"].get("different", 0) for record in rows)
    if different:
        return f"{different} of {sum(record['counts'].get('boxes', 0) for record in rows)} boxes differ"
    measures = [m for record in rows for m in record["measures"] if m["name"] in SHOWN]
    text = []
    if measures:
        # The worst is the one that used most of its own limit, not the largest number. What stayed within a rule's
        # least is not as bad as what needed the rule's limit.
        judged = [m for m in measures if LEAST not in m["origin"]] or measures
        worst = max(judged, key=lambda m: float(m["value"]) / m["limit"] if m["limit"] else float(m["value"]))
        value = float(worst["value"])  # in a document, NaN is a text
        name, unit = SHOWN[worst["name"]]
        text.append(f"worst {name} {value:.2g}")
        if worst["limit"] and LEAST in worst["origin"]:
            text[-1] += f", within {LEAST} limit {worst['limit']:.2g}{unit}"
        elif worst["limit"]:
            text.append(f"of {worst['limit']:.2g}{unit}, headroom {max(0.0, 1 - value / worst['limit']):.0%}")
    borderline = sum(record["counts"].get("borderline", 0) for record in rows)
    boxes = sum(record["counts"].get("reference", 0) for record in rows)
    if boxes:
        text.append(f"({boxes} boxes{f', {borderline} borderline' if borderline else ''})")
    return " ".join(text)
