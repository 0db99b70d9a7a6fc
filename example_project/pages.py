"""Draw the example's images: `python -m example_project.pages`. Each provokes one cause of a wrong deployment."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from example_project.render import Array, Page, draw_line, page

FOLDER = Path(__file__).parent / "images"


def lines(height: int, width: int, texts: list[tuple[str, float, float, float]], ink: str, background: str) -> Array:
    """Return a BGR page with (text, x, y, font size) lines."""
    canvas = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(canvas)
    for text, x, y, size in texts:
        draw_line(draw, text, x, y, size, Image.new("RGB", (1, 1), ink).getpixel((0, 0)))  # type: ignore[arg-type]
    return np.asarray(canvas)[..., ::-1].copy()


def drawn(seed: int, height: int, width: int, sizes: tuple[float, float], count: int = 10, angle: float = 0.0) -> Page:
    """Return a random page, without noise, which a PNG would have to store."""
    return page(np.random.default_rng([3, seed]), height, width, sizes, lines=count, angle=angle, noise=0.0)


def save_with_orientation(path: Path, upright: Array) -> None:
    """Write a JPEG whose pixels lie on their side and whose EXIF tag says so (orientation 6)."""
    turned = Image.fromarray(np.rot90(upright[..., ::-1]).copy())
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(path, quality=90, exif=exif)


def save_with_alpha(path: Path, image: Array) -> None:
    """Write a PNG of dark text whose background is transparent, and white only if alpha is dropped."""
    alpha = np.where(image.min(axis=2, keepdims=True) < 250, 255, 0).astype(np.uint8)
    cv2.imwrite(str(path), np.concatenate([image, alpha], axis=2))


def arc(text: str, side: int) -> Array:
    """Return a page with the letters of a text along a circle."""
    canvas = Image.new("L", (side, side), 240)
    for index, letter in enumerate(text):
        angle = np.pi * (1.15 - 1.3 * index / (len(text) - 1))
        tile = Image.new("L", (60, 60), 240)
        ImageDraw.Draw(tile).text((30, 30), letter, fill=20, font=ImageFont.load_default(34), anchor="mm")
        tile = tile.rotate(np.degrees(angle) - 90, fillcolor=240)
        x, y = side / 2 + 0.36 * side * np.cos(angle), side * 0.55 - 0.36 * side * np.sin(angle)
        ink = tile.point(lambda value: 255 if value < 230 else 0)  # the tiles overlap, the letters do not
        canvas.paste(tile, (int(x) - 30, int(y) - 30), ink)
    return np.asarray(canvas.convert("RGB")).copy()


def main() -> None:
    """Write all images."""
    FOLDER.mkdir(exist_ok=True)
    plain = {
        "receipt.png": drawn(1, 480, 640, (14, 30)).image,  # short side below 736: the null resize enlarges it
        "poster.jpg": drawn(2, 800, 1100, (24, 60)).image,  # long side above 960, short side above 736
        "odd_size.png": drawn(3, 399, 527, (16, 34)).image,  # no side a multiple of 32
        "half_stride.png": drawn(4, 752, 784, (20, 48)).image,  # both sides 16 beside a multiple of 32: round half even
        "banner.png": lines(
            240, 960, [("a banner is much wider", 40, 60, 17), ("than it is high", 600, 150, 15)], "#103050", "#f0e8d0"
        ),
        "colours.png": lines(
            400,
            480,
            [("red on cyan", 40, 50, 26), ("saturated colours", 60, 180, 34), ("again", 300, 300, 22)],
            "#ff0000",
            "#00ffd0",
        ),
        "blank.png": np.full((320, 480, 3), 235, np.uint8),
        "border.png": lines(
            360,
            480,
            [("cut off at the edge", -14, 40, 26), ("bottom", 200, 341, 26), ("inside", 150, 180, 24)],
            "#000",
            "#fff",
        ),
        "rotated.jpg": drawn(5, 520, 520, (22, 36), 6, angle=42.0).image,
        "curved.png": arc("text along a circle", 480),
        "tiny_text.png": drawn(6, 420, 560, (4, 9), 16).image,
        "dense.png": drawn(8, 736, 736, (11, 18), 70).image,
    }
    for name, image in plain.items():
        cv2.imwrite(str(FOLDER / name), image, [cv2.IMWRITE_JPEG_QUALITY, 88, cv2.IMWRITE_PNG_COMPRESSION, 9])
    save_with_orientation(FOLDER / "exif_orientation.jpg", drawn(7, 640, 480, (18, 32), 8).image)
    transparent = lines(300, 400, [("transparent", 30, 60, 22), ("background", 30, 160, 24)], "#202020", "white")
    save_with_alpha(FOLDER / "alpha.png", transparent)


if __name__ == "__main__":
    main()
