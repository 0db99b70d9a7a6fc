"""Shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from listening import LISTENING
from projects import CONFTEST, EIGHT_LINES
from toy import PAGE, page

# What tests patch, and what a run's records are made of, is loaded before any run of pytester's, which forgets what was
# imported during it.
import pytest_ocrparity.backends.paddlex.pipeline
import pytest_ocrparity.diagnose.cache
import pytest_ocrparity.environment
import pytest_ocrparity.session.collecting
import pytest_ocrparity.session.models  # noqa: F401
from pytest_ocrparity.context import Context, running

pytest_plugins = "pytester"


@pytest.fixture(autouse=True)
def as_at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all print the same everywhere: on CI servers pytest's short summary repeats whole messages."""
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    """Keep what these tests compare out of the table and the verdict of their own run."""
    with running(Context()):
        yield
        LISTENING.close()


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Run without hypothesis's plugin: importing hypothesis, as it does at the end, takes longer than most runs."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    return pytester


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with two pages and toy models, in the working directory."""
    pytester.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy"]\n')
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_export=EIGHT_LINES)
    folder = pytester.mkdir("images")
    np.save(folder / "three_words.npy", PAGE)
    np.save(folder / "one_word.npy", page(boxes=((20, 20, 70, 40),)))
    return pytester
