"""Draw pictures of one line of text, as a detector cuts them. Deterministic: the same seed gives the same line."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from example_project.render import Array, colours

LETTERS = (string.ascii_uppercase, string.ascii_uppercase + string.digits, string.digits + "-./:")
FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
Colour = tuple[int, ...]
Margins = tuple[float, float, float, float]
"""Left, right, top and bottom of the text, in font sizes."""
PLAIN: Margins = (0.15, 0.15, 0.18, 0.18)


@dataclass(frozen=True)
class Line:
    """A BGR picture of a line, and what it says."""

    image: Array
    text: str


def token(rng: np.random.Generator) -> str:
    """Return a price, a date, a time, or a word of one to seven characters."""
    kind = rng.random()
    if kind < 0.12:
        return f"{rng.integers(0, 99999) / 100:.2f}"
    if kind < 0.2:
        return f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1990, 2030)}"
    if kind < 0.26:
        return f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}"
    letters = list(LETTERS[int(rng.choice(3, p=[0.4, 0.3, 0.3]))] if kind < 0.85 else "".join(LETTERS))
    word = "".join(rng.choice(letters, rng.integers(1, 8)))
    if rng.random() < 0.25:  # a doubled character is what CTC merges when it errs
        at = int(rng.integers(0, len(word)))
        word = word[:at] + word[at] + word[at:]
    return word


def phrase(rng: np.random.Generator, most: int) -> str:
    """Return one to `most` characters, a letter or digit among them: a dot alone fills its crop as a dash does."""
    while True:
        tokens = [token(rng) for _ in range(rng.integers(1, 2 + most // 5))]
        text = " ".join(tokens)[:most].strip()
        if any(character.isalnum() for character in text):
            return text


def typed(
    text: str, size: float, ink: Colour, background: Colour, margins: Margins = PLAIN, *, tight: bool = False
) -> Array:
    """Return the text in Pillow's own font. The crop is as high as the font, or with `tight` as these letters."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    if not tight:
        top, bottom = min(top, size * 0.25), max(bottom, size * 0.95)
    before, after, above, below = (margin * size for margin in margins)
    wide, tall = math.ceil(right - left + before + after), math.ceil(bottom - top + above + below)
    canvas = Image.new("RGB", (max(wide, 4), max(tall, 8)), background)
    ImageDraw.Draw(canvas).text((before - left, above - top), text, font=font, fill=ink)
    return np.asarray(canvas)[..., ::-1].copy()


def stroked(
    text: str,
    size: float,
    ink: Colour,
    background: Colour,
    margins: Margins = PLAIN,
    *,
    face: int = cv2.FONT_HERSHEY_SIMPLEX,
    thickness: int = 2,
) -> Array:
    """Return the text in one of OpenCV's stroke fonts."""
    scale = size / 30
    (wide, tall), below_baseline = cv2.getTextSize(text, face, scale, thickness)
    before, after, above, below = (round(margin * size) + thickness for margin in margins)
    shape = (tall + below_baseline // 2 + above + below, wide + before + after, 3)
    image = np.full(shape, background[::-1], np.uint8)
    cv2.putText(image, text, (before, above + tall), face, scale, ink[::-1], thickness, cv2.LINE_AA)
    return image


def worn(rng: np.random.Generator, image: Array) -> Array:
    """Return the picture as a camera might give it: sheared, blurred, noisy, compressed; each now and then."""
    height, width = image.shape[:2]
    if rng.random() < 0.35:
        shear, lift = rng.uniform(-0.15, 0.15), rng.uniform(-0.02, 0.02) * min(1.0, 5 * height / width)
        matrix = np.array([[1, shear, -shear * height / 2], [lift, 1, -lift * width / 2]], np.float32)
        image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 0.9)) * height / 30)
    if rng.random() < 0.6:
        noisy = image + rng.normal(0, rng.uniform(0, 9), image.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


def line(rng: np.random.Generator, most: int) -> Line:
    """Return a random line of at most `most` characters."""
    text = phrase(rng, most)
    background, ink = colours(rng)
    size = float(rng.uniform(16, 44))
    before, after, above, below = rng.uniform(0.03, 0.28, 4)
    margins = (float(before), float(after), float(above) * 0.7, float(below) * 0.7)
    if rng.random() < 0.7:
        image = typed(text, size, ink, background, margins, tight=rng.random() < 0.4)
    else:
        face, thickness = FACES[rng.integers(len(FACES))], int(rng.integers(1, 3)) + (size > 30)
        image = stroked(text, size, ink, background, margins, face=face, thickness=thickness)
    return Line(worn(rng, image), text)
