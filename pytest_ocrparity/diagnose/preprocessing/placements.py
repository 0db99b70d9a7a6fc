"""Where a page may lie in the picture that is fed: within a border, cut, or scaled before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.page_frame import TURNS, Frame
from pytest_ocrparity.diagnose.preprocessing.fed_picture import (
    Fed,
    Size,
    is_same_picture,
    resampled,
    resized,
    size_of,
)
from pytest_ocrparity.trace import Array

Placed: TypeAlias = "tuple[Array, str, Frame]"


class Way(NamedTuple):
    """A way to make a picture.

    Attributes:
        cause: the code that it proves.
        kinds: names, of which one is the same on every image.
        picture: (h, w, 3).
        words: what was done to the page.
        summary: what the candidate does.
        fix: what removes it.
        to_page: where the page lies in the picture.
    """

    cause: str
    kinds: frozenset[str]
    picture: Array
    words: str
    summary: str
    fix: str
    to_page: Frame | None = None


_BORDER, _CROP, _SCALED = (frozenset({name}) for name in ("border", "crop", "scaled"))
FACTORS: Final = (0.5, 0.25, 0.75, 1.5, 2.0)
"""By how much clients scale pages before they send them, where no shape row says it."""


def placements(fed: Fed) -> Iterator[Way]:
    """Yield the pictures in which a page lies within a border, is turned, or is cut."""
    reference, candidate = fed.lab.names
    fix = f"give {candidate}'s network the page as {reference} does: resized, and nothing around it"
    for placed in (_bordered_pages(fed), _padded_first(fed)):
        for picture, text, frame in placed:
            yield Way("resize.padding", _BORDER, picture, text, f"pads the page: {text}", fix, frame)
    yield from _turned(fed)
    for size in _sizes_of_crop(fed):
        fix = f"take the crop out of {candidate}, or compare pages that are cut so"
        for picture, text, frame in _cropped_pages(fed, size):
            yield Way("decode.cropped", _CROP, picture, text, f"feeds a part of the page: {text}", fix, frame)


def _turned(fed: Fed) -> Iterator[Way]:
    """Yield the page turned or mirrored, and then resized."""
    fix = f"let {fed.lab.names.candidate} feed the page as it stands, or turn it for both sides"
    for words, turn in TURNS.items():
        turned = turn.picture(fed.page)
        picture = fed.resized(turned)
        if picture is not None:
            frame = Frame(*fed.scale_of(size_of(turned)), turn=words, page=size_of(fed.page))
            summary = f"feeds the page {words}"
            yield Way("decode.orientation", frozenset({words}), picture, words, summary, fix, frame)


def scaled_placements(fed: Fed) -> Iterator[Way]:
    """Yield the ways in which a client may have scaled the page that make this picture, which takes longest to find.

    To the size of the shape row; or, where there is none, by known factors.
    """
    lab, page, shape = fed.lab, fed.page, fed.trace.shape
    row = None if shape is None else (int(shape[0]), int(shape[1]))
    if row is not None and (row == page.shape[:2] or min(row) < 8):
        return
    sizes = [row] if row is not None else [(round(page.shape[0] * f), round(page.shape[1] * f)) for f in FACTORS]
    frame = Frame(*fed.scale_of(size_of(page)))
    fix = f"give {lab.names.candidate} the page in its own size"
    for size in sizes:
        plain = resized(lab, page, size)
        made = [] if plain is None else [("cv2.INTER_LINEAR", plain)]
        for name, scaled in (*made, *resampled(lab, page, size)):
            twice = fed.resized(scaled)
            if twice is not None and is_same_picture(fed.own, twice):
                text = f"scaled to {size[1]}x{size[0]} by {name} before the resize"
                yield Way("decode.scaled", _SCALED, twice, text, f"gets the page {text}", fix, frame)


def _bordered_pages(fed: Fed) -> Iterator[Placed]:
    """Yield the page resized and put into a border of one value, which is read from the picture."""
    page, own, (height, width) = fed.page, fed.own, fed.size
    for top, left, h, w in _places_of_page(page, own):
        fill = _border_value(own, top, left, h, w)
        if fill is None:
            continue
        inner = resized(fed.lab, page, (h, w))
        if inner is None or not is_same_picture(own[top : top + h, left : left + w], inner):
            continue
        picture = np.empty_like(own)
        picture[:] = fill
        picture[top : top + h, left : left + w] = own[top : top + h, left : left + w]
        scale = f"x {w / page.shape[1]:.4g}, y {h / page.shape[0]:.4g}"
        text = f"scaled by {scale} to {w}x{h} and placed at x {left}, y {top} of {width}x{height}, "
        text += f"the rest filled with {_fill_text(fill)}"
        across, down = page.shape[1] / w, page.shape[0] / h
        yield picture, text, Frame(across, down, -left * across, -top * down)


def _border_value(own: Array, top: int, left: int, h: int, w: int) -> Array | None:
    """Return the one value around a place of a picture, or None where there are several, or nothing is around it."""
    beside = own[top : top + h]
    around = [each for each in (own[:top], own[top + h :], beside[:, :left], beside[:, left + w :]) if each.size]
    if not around:
        return None
    fill: Array = around[0][0, 0]
    return fill if all(np.all(each == fill) for each in around) else None


def _fill_text(fill: Array) -> str:
    return str(int(fill[0])) if len(set(fill.tolist())) == 1 else str([int(each) for each in fill])


def _places_of_page(page: Array, own: Array) -> list[tuple[int, int, int, int]]:
    """Return (top, left, height, width) of where the page may lie: what is not of one colour, and by its aspect."""
    (height, width), (page_h, page_w) = size_of(own), size_of(page)
    found: dict[tuple[int, int, int, int], None] = {}

    def add(top: int, left: int, h: int, w: int) -> None:
        fits = top >= 0 and left >= 0 and h > 0 and w > 0 and top + h <= height and left + w <= width
        if fits and (h, w) != (height, width):
            found[top, left, h, w] = None

    ratio = min(height / page_h, width / page_w)
    sizes = {(whole(page_h * ratio), whole(page_w * ratio)) for whole in (round, int, math.ceil)} | {(page_h, page_w)}
    for fill in {tuple(own[-1, -1].tolist()), tuple(own[0, 0].tolist())}:
        top, left, h, w = _not_of(own, fill)
        add(top, left, h, w)
        for whole in (round, int, math.ceil):  # one edge of the page may be of the border's colour
            sizes |= {(h, whole(page_w * h / page_h)), (whole(page_h * w / page_w), w)}
            sizes |= {(h + top, whole(page_w * (h + top) / page_h)), (whole(page_h * (w + left) / page_w), w + left)}
        sizes |= {(h + top, w + left), (height, w + left), (h + top, width), (height, w), (h, width)}
    for h, w in sorted(sizes):
        for at in (0.0, 0.5, 1.0):
            add(int((height - h) * at), int((width - w) * at), h, w)
        add(round((height - h) / 2 - 0.1), round((width - w) / 2 - 0.1), h, w)
        add(-(-(height - h) // 2), -(-(width - w) // 2), h, w)
    return list(found)


def _not_of(own: Array, fill: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of what is not of one colour."""
    other = np.any(own != np.asarray(fill, own.dtype), axis=2)
    rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def _padded_first(fed: Fed) -> Iterator[Placed]:
    """Yield the page put into a border of one value and then resized."""
    page, own, (height, width) = fed.page, fed.own, size_of(fed.page)
    side = max(height, width)
    canvases = {
        (side, side, 0, 0),
        (side, side, (side - height) // 2, (side - width) // 2),
        (-(-height // 32) * 32, -(-width // 32) * 32, 0, 0),
    }
    fills = dict.fromkeys((tuple(own[-1, -1].tolist()), tuple(own[0, 0].tolist())))
    for fill in fills:
        top, left, h, w = _not_of(own, fill)
        for edge in (round(top * height / max(h, 1)), round(left * width / max(w, 1))):
            for margin in range(max(1, edge - 2), edge + 3):
                canvases.add((height + 2 * margin, width + 2 * margin, margin, margin))
    for canvas_h, canvas_w, top, left in sorted(canvases):
        if (canvas_h, canvas_w) == (height, width) or canvas_h * canvas_w > 4 * height * width + 10**6:
            continue
        for fill in fills:
            canvas = np.empty((canvas_h, canvas_w, 3), np.uint8)
            canvas[:] = np.asarray(fill, np.uint8)
            canvas[top : top + height, left : left + width] = page
            picture = fed.resized(canvas)
            if picture is not None:
                text = f"placed at x {left}, y {top} of {canvas_w}x{canvas_h}, the rest filled with "
                frame = Frame(*fed.scale_of((canvas_h, canvas_w)), float(-left), float(-top))
                yield picture, f"{text}{_fill_text(np.asarray(fill))}, and then resized", frame


def _cropped_pages(fed: Fed, size: Size) -> Iterator[Placed]:
    """Yield parts of the page of one size: the middle, the corners, and where the picture resembles the page most."""
    page, own = fed.page, fed.own
    rest = page.shape[0] - size[0], page.shape[1] - size[1]
    tries = {(rest[0] // 2, rest[1] // 2): None, (0, 0): None, rest: None, (0, rest[1]): None, (rest[0], 0): None}
    scale = own.shape[0] / size[0], own.shape[1] / size[1]
    whole = resized(fed.lab, page, (round(page.shape[0] * scale[0]), round(page.shape[1] * scale[1])))
    if whole is not None and whole.shape[0] >= own.shape[0] and whole.shape[1] >= own.shape[1]:
        row, column = best_placement(whole, own)
        middle = round(row / scale[0]), round(column / scale[1])
        around = (0, -1, 1, -2, 2)
        tries |= {(middle[0] + down, middle[1] + right): None for down in around for right in around}
    for top, left in tries:
        if 0 <= top <= rest[0] and 0 <= left <= rest[1]:
            picture = fed.resized(page[top : top + size[0], left : left + size[1]])
            if picture is not None:
                frame = Frame(*fed.scale_of(size), float(left), float(top))
                yield picture, f"cut to {size[1]}x{size[0]} from x {left}, y {top} on", frame


MOST_CUT: Final = 3
"""A margin of at most one part in so many of the shorter side is looked for."""
POINTS: Final = 400
NEAR: Final = 3.0
"""Steps of 255 by which interpolated pixels may lie off on average, before the reference's own resize decides."""


def _sizes_of_crop(fed: Fed) -> list[Size]:
    """Return the (h, w) to which the page may have been cut: by the shape row, its ratios, or equal margins."""
    page, own, (height, width) = fed.page, fed.own, size_of(fed.page)
    found: dict[Size, None] = {}
    if fed.trace.shape is not None:
        row, ratios = (int(fed.trace.shape[0]), int(fed.trace.shape[1])), fed.trace.shape[2:]
        found[row] = None
        if min(ratios, default=0.0) > 0:  # a side of the user's may record the size alone
            found[round(own.shape[0] / ratios[0]), round(own.shape[1] / ratios[1])] = None
    found |= dict.fromkeys(_equal_margins(page, own))
    return [size for size in found if 8 <= size[0] <= height and 8 <= size[1] <= width and size != (height, width)]


def _equal_margins(page: Array, own: Array) -> list[Size]:
    """Return the sizes of the page without equal margins at which points of the picture have the page's pixels."""
    height, width = size_of(page)
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(0, own.shape[0], POINTS), generator.integers(0, own.shape[1], POINTS)
    values = own[rows, columns].astype(np.float64).mean(axis=1)
    grey = page.astype(np.float64).mean(axis=2)
    errors = {}
    for margin in range(1, min(height, width) // MOST_CUT):
        h, w = height - 2 * margin, width - 2 * margin
        y = np.clip((rows + 0.5) * h / own.shape[0] - 0.5, 0, h - 1) + margin
        x = np.clip((columns + 0.5) * w / own.shape[1] - 0.5, 0, w - 1) + margin
        errors[h, w] = float(np.abs(_between(grey, y, x) - values).mean())
    likely = sorted(errors, key=lambda size: errors[size])[:2]
    return [size for size in likely if errors[size] < NEAR]


def _between(grey: Array, y: Array, x: Array) -> Array:
    """Return values between pixels, by linear interpolation."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, grey.shape[0] - 1), np.minimum(left + 1, grey.shape[1] - 1)
    down, across = y - top, x - left
    upper = grey[top, left] * (1 - across) + grey[top, right] * across
    lower = grey[below, left] * (1 - across) + grey[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def best_placement(whole: Array, part: Array) -> tuple[int, int]:
    """Return (row, column) at which a part resembles a picture most, by the correlation of their brightness."""
    first, second = (np.asarray(each, np.float64).mean(axis=2) for each in (whole, part))
    first, second = first - first.mean(), second - second.mean()
    padded = np.zeros_like(first)
    padded[: second.shape[0], : second.shape[1]] = second
    product = np.fft.irfft2(np.fft.rfft2(first) * np.conj(np.fft.rfft2(padded)), first.shape)
    most = product[: first.shape[0] - second.shape[0] + 1, : first.shape[1] - second.shape[1] + 1]
    row, column = np.unravel_index(int(np.argmax(most)), most.shape)
    return int(row), int(column)
