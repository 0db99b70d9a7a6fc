"""What a run prints before its first test."""

from __future__ import annotations

from pytest_ocrparity.settings import Settings


def header_lines(settings: Settings) -> list[str]:
    """Return the settings file and the versions under test, without importing them."""
    if not settings.is_set:
        return []
    from pytest_ocrparity import environment as versions

    file = settings.file or "settings from the command line"
    candidates = settings.candidates
    named = [f"candidates: {', '.join(candidates)}"] if len(candidates) > 1 else []
    asked = {f"{part.prefix}{name}": batch for part in settings.parts for name, batch in part.batches().items()}
    named += [f"{name} in batches of {batch} as well as alone" for name, batch in asked.items()]
    if settings.reads_pages or any("api" in each.values for each in candidates.values()):
        from pytest_ocrparity.session.models import parts_without_models

        named += parts_without_models(settings)
    return [f"ocrparity: {line}" for line in (str(file), *versions.header(), *named)]
