"""Draw pages of text with known boxes. Deterministic: the same seed gives the same page."""

from __future__ import annotations

import string
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image, ImageDraw, ImageFont

Array = npt.NDArray[np.uint8]
Quad = npt.NDArray[np.float64]

LEAST_CONTRAST = 80
"""Grey levels between text and background. Without this rule the detector reached an hmean of 0.84 instead of 0.95."""


@dataclass(frozen=True)
class Page:
    """A BGR image and the outline of each line of text, (N, 2) x then y: four corners, unless the page cuts it."""

    image: Array
    quads: list[Quad]


def colours(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return a background and a text colour that the eye, and so the detector, can tell apart."""
    while True:
        background, ink = rng.integers(0, 256, (2, 3))
        if rng.random() < 0.5:  # half of the pages are nearly grey, as documents are
            background = np.full(3, background[0]) + rng.integers(-12, 13, 3)
            ink = np.full(3, ink[0]) + rng.integers(-12, 13, 3)
        background, ink = np.clip([background, ink], 0, 255)
        if abs(float((background - ink) @ (0.3, 0.59, 0.11))) >= LEAST_CONTRAST:
            return tuple(int(v) for v in background), tuple(int(v) for v in ink)


def words(rng: np.random.Generator, most: int = 3) -> str:
    """Return a line of one to `most` random words."""
    alphabet = list(string.ascii_letters + string.digits)
    return " ".join("".join(rng.choice(alphabet, rng.integers(3, 9))) for _ in range(rng.integers(1, most + 1)))


def draw_line(draw: ImageDraw.ImageDraw, text: str, x: float, y: float, height: float, ink: tuple[int, ...]) -> Quad:
    """Draw a line with its top left corner at (x, y) and return its box."""
    font = ImageFont.load_default(height)
    left, top, right, bottom = draw.textbbox((x, y), text, font=font)
    draw.text((2 * x - left, 2 * y - top), text, font=font, fill=ink)
    right, bottom = right - left + x, bottom - top + y
    return np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float64)


def page(
    rng: np.random.Generator,
    height: int,
    width: int,
    sizes: tuple[float, float],
    *,
    lines: int = 12,
    angle: float = 0.0,
    noise: float = 6.0,
) -> Page:
    """Return a page with up to `lines` lines whose font sizes lie between `sizes`, turned by `angle` degrees.

    `noise` is the largest standard deviation of the pixels' noise, in grey levels.
    """
    background, ink = colours(rng)
    canvas = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(canvas)
    quads: list[Quad] = []
    for _ in range(lines):
        size = float(np.exp(rng.uniform(*np.log(sizes))))
        text = words(rng)
        left, top, right, bottom = draw.textbbox((0, 0), text, font=ImageFont.load_default(size))
        wide, tall = right - left, bottom - top
        for _attempt in range(20):
            x, y = rng.uniform(2, max(3.0, width - wide - 2)), rng.uniform(2, max(3.0, height - tall - 2))
            # Neighbours keep half a line of distance: closer ones are one region after DB's unclip.
            gap = tall * 0.5 + 3
            free = all(
                x + wide + gap < q[0, 0] or q[1, 0] + gap < x or y + tall + gap < q[0, 1] or q[2, 1] + gap < y
                for q in quads
            )
            if free and x + wide <= width and y + tall <= height:
                quads.append(draw_line(draw, text, x, y, size, ink))
                break
    image = np.asarray(canvas)[..., ::-1].astype(np.float32)
    image += rng.normal(0, rng.uniform(0, noise), image.shape)
    return turn(Page(np.clip(image, 0, 255).astype(np.uint8), quads), angle, background[::-1])


def turn(source: Page, angle: float, background: tuple[int, ...]) -> Page:
    """Turn a page about its centre; lines that leave it are cut at its edge."""
    if not angle:
        return source
    height, width = source.image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    image = cv2.warpAffine(source.image, matrix, (width, height), borderValue=background)
    edge = shapely.box(0, 0, width, height)
    visible = [shapely.Polygon(quad @ matrix[:, :2].T + matrix[:, 2]).intersection(edge) for quad in source.quads]
    outlines = [shapely.get_coordinates(shape)[:-1] for shape in visible if shape.area > 0]
    return Page(np.asarray(image, np.uint8), outlines)
