"""A missing browser: these tests are skipped, or fail where it is required."""

from __future__ import annotations

import pytest

from browser import chromium


@pytest.mark.parametrize(("word", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, word: str, outcome: type[BaseException]) -> None:
    monkeypatch.setenv("OCRPARITY_BROWSER", word)
    monkeypatch.setattr(chromium, "missing", lambda: "no browser is installed")
    with pytest.raises(outcome, match="no browser is installed"):
        chromium.skip_without_browser()
    monkeypatch.setattr(chromium, "missing", lambda: "")
    chromium.skip_without_browser()


def test_a_path_without_a_browser_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "NAMES", ("no-such-browser",))
    assert chromium.missing() in (
        "none of no-such-browser is installed",
        "playwright is not installed: pip install --group browser",
    )
