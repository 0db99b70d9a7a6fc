"""What ran in batches, added up for the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pytest_ocrparity.report.document import Batched, BatchLimit
from pytest_ocrparity.wording import amount, number_of_images


def batch_records_by_side(records: Iterable[Batched]) -> dict[str, list[Batched]]:
    """Return by side one record per image: workers may have run the same one, and then what differs decides."""
    found: dict[tuple[str, str], Batched] = {}
    for record in records:
        key = record.side, record.image
        if key not in found or (found[key].is_same and (not record.is_same or record.size > found[key].size)):
            found[key] = record
    sides: dict[str, list[Batched]] = {}
    for record in found.values():
        sides.setdefault(record.side, []).append(record)
    return sides


def batch_lines(records: Iterable[Batched], limits: Iterable[BatchLimit]) -> list[str]:
    """Return a line per side: how many of its images ran in batches of which size, and how they came out."""
    lines = []
    for side, images in batch_records_by_side(records).items():
        sizes = Counter(each.size for each in images)
        several = sorted((size for size in sizes if size > 1), reverse=True)
        ran = [f"{number_of_images(sizes[size])} in batches of {size}" for size in several]
        rest = [f"{number_of_images(sizes[1])} with a tensor of a size of its own"] if sizes[1] else []
        rest += [f"{number_of_images(sizes[0])} could not run in one"] if sizes[0] else []
        lines.append(f"{side} in batches of {images[0].asked} against {side} alone: {', '.join([*ran, *rest])}")
        if ran:
            lines.append(f"  {_outcome([each for each in images if each.size > 1])}")
    return lines + [f"  {each}" for each in dict.fromkeys(f"{each.side}: {each.text}" for each in limits)]


def _outcome(images: list[Batched]) -> str:
    different = sum(not each.is_same for each in images)
    text = ", ".join([f"{different} different"] * bool(different) + [f"{len(images) - different} same"])
    measured = [(each.largest, each.limit) for each in images if each.largest is not None]
    if measured:
        largest, limit = max(measured, key=lambda pair: pair[0] / pair[1] if pair[1] else pair[0])
        text += f", worst map {amount(largest)}" + (f" of {amount(limit)}" if limit else "")
    return text
