"""The baselines that no image and no test asks for: named and removed only by a run that shows what all tests need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ocrparity.trace import printable

if TYPE_CHECKING:
    from pytest_ocrparity.golden.store import GoldenStore
    from pytest_ocrparity.session.evidence import Evidence
    from pytest_ocrparity.settings import Settings

__all__ = ["report_unused"]


def report_unused(
    session: Any, settings: Settings, store: GoldenStore, evidence: Evidence, *, is_faulty: bool
) -> list[str]:
    """Return what to print about unused baselines, after removing them where the run was told to.

    Args:
        session: pytest's.
        settings: the run's.
        store: its baselines.
        evidence: what its tests did.
        is_faulty: whether the run as a whole has failed.

    Raises:
        GoldenError: one cannot be removed.
    """
    candidates = store.not_asked_for(settings.image_paths(), evidence.asked)
    ours = [path for path, recorded in candidates.items() if recorded and recorded == store.ownership.settings]
    if not candidates or not (ours or settings.golden_prune):
        return ["nothing was pruned: each baseline is of an image or a test"] if settings.golden_prune else []
    reason = _missing(session, settings, evidence, is_faulty)
    if not settings.golden_prune:
        return [] if reason else [f"unused baselines (--ocr-golden-prune removes them): {_names(store, ours)}"]
    if reason:
        return [f"nothing was pruned: {reason}; so it is not known which baselines are needed"]
    store.remove(ours)
    removed = [f"removed unused baselines: {_names(store, ours)}"] if ours else []
    return [*removed, *_kept(store, {path: name for path, name in candidates.items() if path not in ours})]


def _missing(session: Any, settings: Settings, evidence: Evidence, is_faulty: bool) -> str:
    """Return why this run does not show which baselines are needed, or nothing where it does."""
    if settings.file is None:
        return "no settings file says which tests and images are all"
    if not evidence.asked:
        return "no test asked ocr_golden for a baseline"
    if is_faulty:
        return "this run failed"
    for pair in settings.images:
        if not replace(settings, images=(pair,)).image_paths():
            return f"the setting images has {pair[1]!r}, which matches no file: its images may only be missing here"
    return evidence.missing(session, settings.root)


def _kept(store: GoldenStore, others: dict[Path, str | None]) -> list[str]:
    """Say of baselines that no test asked for why they stay all the same."""
    foreign = {path: name for path, name in others.items() if name}
    lines = []
    for name in sorted(set(foreign.values())):
        names = _names(store, (path for path in foreign if foreign[path] == name))
        lines.append(f"kept, as they were recorded under {printable(name)}: {names}")
    untold = [path for path, name in others.items() if not name]
    if untold:
        lines.append(
            f"kept, as they do not say under which settings they were recorded: {_names(store, untold)}; delete by "
            "hand what you know to be yours, or record it again"
        )
    return lines


def _names(store: GoldenStore, paths: Iterable[Path]) -> str:
    names = [printable(path.relative_to(store.folder).as_posix()) for path in paths]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
