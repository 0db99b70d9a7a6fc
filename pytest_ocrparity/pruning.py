"""The baselines that no image and no test asks for: reported, and removed only by a run that can know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_ocrparity.golden import GoldenStore
    from pytest_ocrparity.settings import Settings

__all__ = ["report_unused"]

_LIMITING = ("keyword", "markexpr", "lf", "failedfirst", "deselect", "ignore", "ignore_glob", "ocr_images")


def report_unused(
    session: Any, settings: Settings, store: GoldenStore, asked: Sequence[Path], *, is_faulty: bool, is_deselected: bool
) -> list[str]:
    """Return what to print about unused baselines, after removing them where the run was told to.

    Args:
        session: pytest's.
        settings: the run's.
        store: its baselines.
        asked: the baselines that its tests asked for.
        is_faulty: whether the run as a whole has failed.
        is_deselected: whether tests were deselected, here or in a worker.

    Raises:
        GoldenError: one cannot be removed.
    """
    if not asked:
        return ["nothing was pruned: no test asked ocr_golden for a baseline"] if settings.golden_prune else []
    unused = [path.relative_to(store.folder).as_posix() for path in store.unused(settings.image_paths(), asked)]
    if not unused or (session.config.option.ocr_images and not settings.golden_prune):
        return []
    names = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" if len(unused) > 5 else "")
    if not settings.golden_prune:
        return [f"unused baselines (--ocr-golden-prune removes them): {names}"]
    if refusal := _partial(session, settings.root, is_faulty, is_deselected):
        return [f"not pruned, {refusal}: {names}"]
    store.prune(settings.image_paths(), asked)
    return [f"removed unused baselines: {names}"]


def _partial(session: Any, root: Path, is_faulty: bool, is_deselected: bool) -> str:
    """Return why this run cannot know which baselines are unused, or nothing."""
    config = session.config
    for name in _LIMITING:
        if getattr(config.option, name, None):
            return f"this run is limited by {name}"
    if any(not root.is_relative_to(path) for path in _given(config)):
        return "this run is limited to a part of the project"
    if session.testsfailed or is_faulty:
        return "this run failed"
    if session.exitstatus != 0 or session.shouldstop or session.shouldfail:
        return "this run was cut short"
    stats = getattr(config.pluginmanager.get_plugin("terminalreporter"), "stats", {})
    left_out = "deselected" if is_deselected else "skipped" if stats.get("skipped") else ""
    return f"this run has {left_out} tests" if left_out else ""


def _given(config: Any) -> list[Path]:
    """Return the paths that the run is of, test ids cut off; those of `testpaths` are the whole project."""
    if config.args_source.name == "TESTPATHS":
        return []
    return [Path(os.path.normpath(config.invocation_params.dir / arg.partition("::")[0])) for arg in config.args]
