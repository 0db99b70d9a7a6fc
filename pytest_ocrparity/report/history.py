"""The history of runs: a file with a line of JSON per run, and how accuracies go over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from pytest_ocrparity.comparison import MATCHES
from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.report.accuracy_lines import accuracy_figure_rows
from pytest_ocrparity.report.document import RecordedComparison, Results
from pytest_ocrparity.whole_files import append_whole_line
from pytest_ocrparity.wording import number_of_images, percent_text

FORMAT: Final = "pytest-ocrparity history"
MOST_RUNS: Final = 200
"""How many runs a plot shows, the last ones."""
WIDTH, HEIGHT, MARGIN = 720, 150, 64
"""Of a plot, in px; the margin holds its numbers."""


class RunAccuracy(Struct, frozen=True, kw_only=True):
    """The accuracy of a candidate in one run: its leading figure, as shares."""

    task: str
    reference: str
    candidate: str
    figure: str
    images: int
    reference_value: float
    candidate_value: float
    low: float
    high: float
    verdict: str


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One run."""

    format: str = FORMAT
    version: int = 1
    finished: str
    commit: str = ""
    verdict: str
    images: int
    differing: int
    accuracy: tuple[RunAccuracy, ...] = ()


def history_entry(results: Results, compared: Sequence[RecordedComparison], commit: str) -> HistoryEntry:
    """Return the entry of a run, whose comparisons are given light."""
    accuracy = []
    for record in results.accuracy:
        row = next(each for each in accuracy_figure_rows(record) if each.interval is not None)
        accuracy.append(
            RunAccuracy(
                task=record.result.task,
                reference=record.reference,
                candidate=record.candidate,
                figure=row.name,
                images=record.result.images,
                reference_value=row.reference,
                candidate_value=row.candidate,
                low=record.result.interval.low,
                high=record.result.interval.high,
                verdict=record.result.verdict,
            )
        )
    differing = {each.image for each in compared if each.status not in MATCHES}
    return HistoryEntry(
        finished=results.run.finished,
        commit=commit,
        verdict=results.run.verdict,
        images=len({each.image for each in compared}),
        differing=len(differing),
        accuracy=tuple(accuracy),
    )


def append_to_history(path: Path, entry: HistoryEntry) -> None:
    """Append a run to a history.

    Raises:
        ReportError: the file is none, or cannot be written.
    """
    read_history(path)
    try:
        append_whole_line(path, json.dumps(msgspec.to_builtins(entry), allow_nan=False).encode())
    except OSError as error:
        raise ReportError(f"{path}: cannot write this history: {error.strerror or error}") from error


def read_history(path: Path) -> tuple[list[HistoryEntry], int]:
    """Return the runs of a history, and how many of its lines are no whole entry: a killed process may leave such.

    A file that is not there has none.

    Raises:
        ReportError: the file cannot be read, or has lines and none of them is an entry.
    """
    try:
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()] if path.exists() else []
    except OSError as error:
        raise ReportError(f"{path}: cannot read this history: {error.strerror or error}") from error
    found = [entry for line in lines if (entry := _entry(line)) is not None]
    if lines and not found and not all(map(_is_cut_off, lines)):
        raise ReportError(f"{path} holds no history of pytest-ocrparity: give the history a file of its own")
    return found, len(lines) - len(found)


def _is_cut_off(line: bytes) -> bool:
    """Return whether a line may be the beginning of an entry, as a killed process leaves it."""
    head = f'{{"format": "{FORMAT}"'.encode()
    return line.startswith(head) or head.startswith(line)


def _entry(line: bytes) -> HistoryEntry | None:
    try:
        entry = msgspec.convert(json.loads(line), HistoryEntry)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    shares = [share for each in entry.accuracy for share in (each.reference_value, each.candidate_value)]
    return entry if entry.format == FORMAT and all(0 <= share <= 1 for share in shares) else None


@dataclass(frozen=True, slots=True)
class Point:
    """A run in a plot, in px, with its tooltip."""

    x: float
    y: float
    text: str
    is_failed: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """The accuracy of a candidate and its reference over runs; `ends` are the values at the plot's bottom and top."""

    title: str
    names: tuple[str, str]
    ends: tuple[str, str]
    reference: tuple[Point, ...]
    candidate: tuple[Point, ...]
    width: int = WIDTH
    height: int = HEIGHT
    margin: int = MARGIN

    @staticmethod
    def path(points: Sequence[Point]) -> str:
        """Return a line through points, as SVG has it."""
        return "M" + "L".join(f"{point.x:.1f} {point.y:.1f}" for point in points)


def history_plots(entries: Sequence[HistoryEntry]) -> list[Plot]:
    """Return a plot for each candidate and its reference that several runs judged.

    Of what one run judged several times, under two limits or in two tests, it shows that of the most images.
    """
    entries = entries[-MOST_RUNS:]
    series: dict[tuple[str, ...], dict[int, RunAccuracy]] = {}
    for index, entry in enumerate(entries):
        for each in entry.accuracy:
            runs = series.setdefault((each.task, each.reference, each.candidate, each.figure), {})
            if index not in runs or each.images > runs[index].images:
                runs[index] = each
    return [
        _plot(key, [(index, entries[index], each) for index, each in runs.items()], len(entries))
        for key, runs in series.items()
        if len(runs) > 1
    ]


def _plot(key: tuple[str, ...], found: Sequence[tuple[int, HistoryEntry, RunAccuracy]], runs: int) -> Plot:
    _, reference, candidate, figure = key
    values = [value for *_, each in found for value in (each.reference_value, each.candidate_value)]
    least = max(min(values) - 0.005, 0.0)
    most = min(max(values) + 0.005, 1.0)
    if most - least < 0.01:  # else noise of a hundredth of a point would fill the plot
        least, most = max(most - 0.01, 0.0), max(most, 0.01)

    def points(name: str, value_of: Any) -> tuple[Point, ...]:
        return tuple(
            Point(
                x=MARGIN + (WIDTH - MARGIN - 8) * index / (runs - 1),
                y=8 + (HEIGHT - 28) * (most - value_of(each)) / (most - least),
                text=f"{' '.join(filter(None, (entry.finished, entry.commit[:10])))}: {figure} of {name} "
                f"{percent_text(value_of(each))} on {number_of_images(each.images)}, {each.verdict}",
                is_failed=name == candidate and each.verdict == "failed",
            )
            for index, entry, each in found
        )

    return Plot(
        title=f"{figure} of {candidate} and {reference} over {len(found)} runs",
        names=(reference, candidate),
        ends=(percent_text(least), percent_text(most)),
        reference=points(reference, lambda each: each.reference_value),
        candidate=points(candidate, lambda each: each.candidate_value),
    )
