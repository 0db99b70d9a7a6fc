"""The baselines of pages of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.session.fixtures import fixture_place, fixture_value
from pytest_ocrparity.session.models import golden_store_of_models

if TYPE_CHECKING:
    from pytest_ocrparity.golden.store import Baseline
    from pytest_ocrparity.session.run import Run


def golden_page(run: Run) -> Baseline:
    """Return the baselines of pages of a run."""
    from pytest_ocrparity.golden.store import Baseline

    if PAGE_SIDE not in run.stores:
        run.stores[PAGE_SIDE] = golden_store_of_models(run.need_settings(), PAGE_SIDE)
    store = run.stores[PAGE_SIDE]
    name = f"ocr_{store.reference}_page"
    return Baseline(
        store,
        lambda: fixture_value(run.running_item(), name),
        run.recorder.note,
        lambda: fixture_place(run.running_item(), name, run.settings.root),
    )
