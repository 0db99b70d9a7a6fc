"""The summary in Markdown fits a comment, and counts what it leaves out."""

from __future__ import annotations

from records import view_of

from pytest_ocrparity.report.markdown import MOST, markdown_summary


def test_the_summary_fits_a_comment_and_counts_what_it_leaves_out() -> None:
    text = markdown_summary(view_of(500))
    assert len(text) <= MOST
    assert "and 459 more" in text
    long = markdown_summary(view_of(500, summary="y" * 5000))
    assert len(long) <= MOST
    assert "and 499 more" in long
    assert len(markdown_summary(view_of(1, summary="y" * 90_000))) == MOST
