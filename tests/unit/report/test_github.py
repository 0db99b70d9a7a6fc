"""Annotations for GitHub Actions: no more than it shows."""

from __future__ import annotations

from annotations import parsed
from msgspec.structs import replace
from records import results, view_of

from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.report.github import error_commands
from pytest_ocrparity.report.views import View


def test_no_more_annotations_than_github_shows() -> None:
    assert len(error_commands(view_of(10))) == 10
    many = error_commands(view_of(25))
    assert len(many) == 10
    assert parsed(many[-1])[1] == "and 16 more: see the report"


def test_a_cause_of_one_image_counts_no_others() -> None:
    ((_, message),) = map(parsed, error_commands(view_of(1, fix=Fix("turn it"))))
    assert message == "images/0.png: tensor: x\nfix: turn it"


def test_what_a_test_marked_xfail_shows_is_no_error() -> None:
    whole = view_of(3)
    found = [
        replace(each, outcome="skipped" if index else "failed") for index, each in enumerate(whole.results.comparisons)
    ]
    view = View.of(results(found))
    assert len(view.causes) == 3
    assert len(error_commands(view)) == len(view.errors) == 1
