"""Each plugin is there, that of hypothesis too."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def with_all_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")
