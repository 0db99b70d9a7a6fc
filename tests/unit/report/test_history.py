"""The history of runs: what a line holds, what is passed over or refused, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from labelled import accuracy_record, image_counts
from msgspec import structs
from records import comparison, results

from pytest_ocrparity.errors import ReportError
from pytest_ocrparity.report.history import (
    MARGIN,
    MOST_RUNS,
    WIDTH,
    HistoryEntry,
    Plot,
    RunAccuracy,
    append_to_history,
    history_entry,
    history_plots,
    read_history,
)


def entry(value: float = 0.9, verdict: str = "passed", candidate: str = "inference", commit: str = "") -> HistoryEntry:
    accuracy = RunAccuracy(
        task="detection",
        reference="train",
        candidate=candidate,
        figure="hmean",
        images=40,
        reference_value=0.95,
        candidate_value=value,
        low=-0.1,
        high=0.0,
        verdict=verdict,
    )
    return HistoryEntry(finished="2026", verdict="failed", images=3, differing=1, accuracy=(accuracy,), commit=commit)


def test_an_entry_holds_the_judged_figure_of_each_candidate() -> None:
    document = structs.replace(results(), accuracy=(accuracy_record([image_counts("a", 2, 2, 1)]),))
    compared = [
        comparison(image="a"),
        comparison("preprocessing", image="a", status="different"),
        comparison(image="b"),
    ]
    found = history_entry(document, compared, "abc")
    assert (found.commit, found.verdict, found.images, found.differing) == ("abc", "failed", 2, 1)
    (accuracy,) = found.accuracy
    assert (accuracy.figure, accuracy.reference_value, accuracy.images) == ("hmean", 1.0, 1)
    assert accuracy.candidate_value == pytest.approx(2 / 3)
    assert accuracy.low <= accuracy.candidate_value - accuracy.reference_value <= accuracy.high
    assert history_entry(results(), [], "").accuracy == ()


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.jsonl"
    assert read_history(path) == ([], 0)
    for value in (0.9, 0.8):
        append_to_history(path, entry(value))
    assert read_history(path) == ([entry(0.9), entry(0.8)], 0)


def test_lines_that_are_no_entry_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_to_history(path, entry())
    beyond = msgspec.json.encode(entry(1.5))
    for line in (b"{", b"[1]", b'{"format": "another"}', b"\xff", beyond):
        path.write_bytes(path.read_bytes() + line + b"\n\n")
    append_to_history(path, entry())
    assert read_history(path) == ([entry(), entry()], 5)


@pytest.mark.parametrize("text", ['{"format": "pytest-oc', '{"format": "pytest-ocrparity history", "ver', "{"])
def test_a_file_of_one_line_that_a_killed_run_cut_off_is_a_history(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    assert read_history(path) == ([], 1)
    append_to_history(path, entry())
    assert read_history(path) == ([entry()], 1)


@pytest.mark.parametrize("text", ["a diary\n", "{}", "[" * 100_000, '{"format": "another'])
def test_a_file_of_something_else_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"notes\.txt holds no history of pytest-ocrparity: give the history a file"):
        append_to_history(path, entry())
    assert path.read_text() == text


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReportError, match=r"cannot write this history: (Not a directory|File exists)"):
        append_to_history(tmp_path / "file" / "history.jsonl", entry())


def drawn(values: list[float]) -> Plot:
    (plot,) = history_plots([entry(value) for value in values])
    return plot


def test_a_better_run_is_drawn_higher_and_a_later_one_farther_right() -> None:
    plot = drawn([0.8, 0.9, 0.7])
    heights = [point.y for point in plot.candidate]
    assert heights[1] < heights[0] < heights[2] < plot.height
    assert len({point.y for point in plot.reference}) == 1
    assert [point.x for point in plot.candidate] == sorted(point.x for point in plot.candidate)
    assert (plot.candidate[0].x, plot.candidate[-1].x) == (MARGIN, WIDTH - 8)
    assert plot.ends == ("69.50 %", "95.50 %")
    assert plot.path(plot.candidate).startswith(f"M{MARGIN:.1f} ")


def test_one_run_is_no_line_and_runs_without_accuracy_leave_a_gap() -> None:
    assert history_plots([entry()]) == history_plots([]) == []
    (plot,) = history_plots([entry(), HistoryEntry(finished="", verdict="passed", images=1, differing=0), entry()])
    assert len(plot.candidate) == 2


def test_a_run_that_judged_a_candidate_twice_is_one_point_of_the_most_images() -> None:
    (few,), (many,) = entry(0.5).accuracy, entry(0.9).accuracy
    few = structs.replace(few, images=2)
    for accuracy in ((few, many), (many, few)):
        twice = structs.replace(entry(), accuracy=accuracy)
        assert history_plots([twice]) == []
        (plot,) = history_plots([twice, entry(0.8)])
        assert "90.00 %" in plot.candidate[0].text
        assert len(plot.candidate) == len(plot.reference) == 2
    other = structs.replace(few, candidate="int8")
    found = history_plots([structs.replace(entry(), accuracy=(many, other))] * 2)
    assert [plot.names[1] for plot in found] == ["inference", "int8"]


def test_each_candidate_has_a_plot_and_a_failed_run_a_mark() -> None:
    found = history_plots(
        [entry(), entry(candidate="int8"), entry(verdict="failed", commit="abc"), entry(candidate="int8")]
    )
    assert [plot.names for plot in found] == [("train", "inference"), ("train", "int8")]
    assert [point.is_failed for point in found[0].candidate] == [False, True]
    assert not any(point.is_failed for point in found[0].reference)
    assert found[0].candidate[0].text == "2026: hmean of inference 90.00 % on 40 images, passed"
    assert "abc: hmean of inference 90.00 % on 40 images, failed" in found[0].candidate[1].text


def test_runs_that_are_nearly_equal_do_not_fill_the_plot() -> None:
    (plot,) = history_plots([entry(0.95), entry(0.950001)])
    assert abs(plot.candidate[0].y - plot.candidate[1].y) < 1


def test_only_the_last_runs_are_drawn() -> None:
    assert len(drawn([0.9] * (MOST_RUNS + 5)).candidate) == MOST_RUNS
