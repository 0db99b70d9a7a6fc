"""Gives memory back between files of tests that load real models: a worker grew to 5 GB without."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator

import pytest

from pytest_ocrparity.session import models


@pytest.fixture(autouse=True, scope="module")
def models_are_freed() -> Iterator[None]:
    """Free what a file's tests loaded.

    Runs in this process keep their models, a side and its traces hold each other, and glibc keeps what was freed.
    """
    yield
    models._LOADED.clear()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
