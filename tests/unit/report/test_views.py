"""What a view counts: causes of all differences, and errors of those that fail a test."""

from __future__ import annotations

from msgspec.structs import replace
from records import results, view_of

from pytest_ocrparity.report.github import github_error_commands
from pytest_ocrparity.report.views import View


def test_what_a_test_marked_xfail_shows_is_no_error() -> None:
    whole = view_of(3)
    found = [
        replace(each, outcome="skipped" if index else "failed") for index, each in enumerate(whole.results.comparisons)
    ]
    view = View.of(results(found))
    assert len(view.causes) == 3
    assert len(github_error_commands(view)) == len(view.errors) == 1
