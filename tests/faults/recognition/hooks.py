"""What a port of a recogniser does otherwise: the hooks of `LinePort`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from faults.recognition.port import HEIGHT, WIDTH, Array, Infer, as_wide, halves, load_bgr
from pytest_ocrparity.trace import Image

Size = Callable[[int, int], tuple[int, int]]

# Files.


def load_rgb(image: Image) -> Array:
    """As PIL loads: red first, and it goes on as if it were blue."""
    return load_bgr(image) if isinstance(image, np.ndarray) else np.ascontiguousarray(load_bgr(image)[..., ::-1])


def load_as_stored(image: Image) -> Array:
    import cv2

    return load_bgr(image, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def load_turned(image: Image) -> Array:
    """An orientation classifier that is wrong: by half a turn."""
    return load_bgr(image) if isinstance(image, np.ndarray) else np.ascontiguousarray(load_bgr(image)[::-1, ::-1])


def load_over(background: int) -> Callable[[Image], Array]:
    """Composite an alpha channel over a grey level."""

    def load(image: Image) -> Array:
        import cv2

        pixels = load_bgr(image, cv2.IMREAD_UNCHANGED)
        if pixels.ndim < 3 or pixels.shape[2] != 4:
            return load_bgr(image)
        alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
        return np.asarray(np.round(pixels[..., :3] * alpha + background * (1 - alpha)), np.uint8)

    return load


def load_deep(make: Callable[[Array], Array]) -> Callable[[Image], Array]:
    """Make what it will of the values of a 16-bit file."""

    def load(image: Image) -> Array:
        import cv2

        pixels = load_bgr(image, cv2.IMREAD_UNCHANGED)
        if pixels.dtype == np.uint8:
            return load_bgr(image)
        return make(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))

    return load


def load_recoded(image: Image) -> Array:
    """Save the line again as a JPEG first, as a labelling tool does."""
    import cv2

    if isinstance(image, np.ndarray):
        return image
    _, data = cv2.imencode(".jpg", load_bgr(image), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def load_with_noise(image: Image) -> Array:
    """Decode JPEG with another library, whose pixels are off by one here and there."""
    pixels = load_bgr(image)
    if isinstance(image, np.ndarray) or Path(image).suffix != ".jpg":
        return pixels
    noise = np.random.default_rng(0).random(pixels.shape) < 0.05
    return np.where(noise & (pixels < 255), pixels + 1, pixels).astype(np.uint8)


def load_halved(image: Image) -> Array:
    """A client that halves a line before it sends it."""
    import cv2

    pixels = load_bgr(image)
    return pixels if isinstance(image, np.ndarray) else np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5))


def load_cut(image: Image) -> Array:
    """A client that cuts 4 px on the left and 6 on the right."""
    pixels = load_bgr(image)
    return pixels if isinstance(image, np.ndarray) else np.ascontiguousarray(pixels[:, 4:-6])


def load_grey(image: Image) -> Array:
    import cv2

    grey = cv2.cvtColor(load_bgr(image), cv2.COLOR_BGR2GRAY)
    return np.repeat(np.asarray(grey)[..., None], 3, axis=2)


# Widths.


def squeezed(total: int = WIDTH) -> Size:
    """One width for every line: PaddleOCR's evaluation."""
    return lambda height, width: (min(math.ceil(HEIGHT * width / height), total), total)


def stretched(height: int, width: int) -> tuple[int, int]:
    return WIDTH, WIDTH


def without_floor(height: int, width: int) -> tuple[int, int]:
    """R2: as wide as the line, be it narrower than image_shape."""
    found = max(int(HEIGHT * width / height), 8)
    return found, found


def rounded_up(height: int, width: int) -> tuple[int, int]:
    """R5: ceil() where both sides take int()."""
    found = math.ceil(HEIGHT * width / height)
    return found, max(found, WIDTH)


def at_least(total: int) -> Size:
    """A line is filled up to another base width."""

    def size(height: int, width: int) -> tuple[int, int]:
        _, own = as_wide(height, width)
        return min(math.ceil(HEIGHT * width / height), own), max(own, total)

    return size


def at_most(most: int) -> Size:
    """Lines wider than that are squeezed into it."""

    def size(height: int, width: int) -> tuple[int, int]:
        content, total = as_wide(height, width)
        return min(content, most), min(total, most)

    return size


def to_multiple(step: int) -> Size:
    """A tensor's width is rounded up to a multiple, the picture's is not."""

    def size(height: int, width: int) -> tuple[int, int]:
        content, total = as_wide(height, width)
        return content, math.ceil(total / step) * step

    return size


def scaled(factor: float) -> Size:
    """Characters are wider than they were."""
    return lambda height, width: as_wide(height, round(width * factor))


def even(height: int, width: int) -> tuple[int, int]:
    """The picture's width is an even number."""
    content, total = as_wide(height, width)
    return content // 2 * 2, total // 2 * 2


def shrink_by(name: str) -> Callable[[Array, int, int], Array]:
    """Resize with an interpolation of cv2's."""

    def shrink(pixels: Array, height: int, width: int) -> Array:
        import cv2

        return np.asarray(cv2.resize(pixels, (width, height), interpolation=getattr(cv2, f"INTER_{name}")))

    return shrink


def shrink_in_two(pixels: Array, height: int, width: int) -> Array:
    """Resize to twice the size first."""
    import cv2

    return np.asarray(cv2.resize(cv2.resize(pixels, (2 * width, 2 * height)), (width, height)))


def shrink_within(pixels: Array, height: int, width: int) -> Array:
    """Leave 4 px of the height free, above and below, in grey."""
    import cv2

    inner = np.asarray(cv2.resize(pixels, (width, height - 8)))
    return np.pad(inner, ((4, 4), (0, 0), (0, 0)), constant_values=127)


# Values.


def fill(value: float) -> Callable[[Array, int], Array]:
    """Fill up with another value than 0, after normalising."""
    return lambda values, total: np.pad(
        values, ((0, 0), (0, total - values.shape[1]), (0, 0)), constant_values=np.float32(value)
    )


def repeat_edge(values: Array, total: int) -> Array:
    return np.pad(values, ((0, 0), (0, total - values.shape[1]), (0, 0)), mode="edge")


def mirror(values: Array, total: int) -> Array:
    """Fill up with the picture again, from its right edge back."""
    return np.pad(values, ((0, 0), (0, total - values.shape[1]), (0, 0)), mode="symmetric")


def fill_with_noise(values: Array, total: int) -> Array:
    """Memory that nobody cleared; the same each time."""
    made = np.random.default_rng(1).uniform(-1, 1, (values.shape[0], total, 3)).astype(np.float32)
    made[:, : values.shape[1]] = values
    return made


def centred(values: Array, total: int) -> Array:
    left = (total - values.shape[1]) // 2
    return np.pad(values, ((0, 0), (left, total - values.shape[1] - left), (0, 0)))


def on_the_right(values: Array, total: int) -> Array:
    return np.pad(values, ((0, 0), (total - values.shape[1], 0), (0, 0)))


MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def imagenet(pixels: Array) -> Array:
    return (pixels.astype(np.float32) / np.float32(255) - MEAN) / STD


def zero_to_one(pixels: Array) -> Array:
    return pixels.astype(np.float32) / np.float32(255)


def undivided(pixels: Array) -> Array:
    """D2: nobody divides by 255."""
    return (pixels.astype(np.float32) - np.float32(0.5)) / np.float32(0.5)


def twice(pixels: Array) -> Array:
    return (halves(pixels) - np.float32(0.5)) / np.float32(0.5)


def by_128(pixels: Array) -> Array:
    return (pixels.astype(np.float32) - 128) / np.float32(128)


def of_this_line(pixels: Array) -> Array:
    """By the mean and the deviation of the line itself."""
    values = pixels.astype(np.float32) / np.float32(255)
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-3))


def negative(pixels: Array) -> Array:
    return -halves(pixels)


def with_gamma(pixels: Array) -> Array:
    return np.round(255 * (pixels / 255) ** 0.8).astype(np.uint8)


def inverted(pixels: Array) -> Array:
    return 255 - pixels


def with_contrast(pixels: Array) -> Array:
    return np.clip(np.round(pixels * 0.8 + 20), 0, 255).astype(np.uint8)


def sharpened(pixels: Array) -> Array:
    import cv2

    return np.asarray(cv2.addWeighted(pixels, 1.5, cv2.GaussianBlur(pixels, (0, 0), 1.0), -0.5, 0))


def blurred(pixels: Array) -> Array:
    import cv2

    return np.asarray(cv2.GaussianBlur(pixels, (3, 3), 0))


def skewed(pixels: Array) -> Array:
    """Turn a line by two degrees, as a wrong rectification does."""
    import cv2

    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2.0, 1.0)
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


def with_border(pixels: Array) -> Array:
    return np.pad(pixels, ((3, 3), (3, 3), (0, 0)), mode="edge")


def grey(pixels: Array) -> Array:
    import cv2

    return np.repeat(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))[..., None], 3, axis=2)


def binary(pixels: Array) -> Array:
    import cv2

    return np.repeat(np.asarray(cv2.threshold(grey(pixels)[..., 0], 0, 255, cv2.THRESH_OTSU)[1])[..., None], 3, 2)


# Tensors and maps.


def reversed_channels(tensor: Array) -> Array:
    return np.ascontiguousarray(tensor[:, ::-1])


def in_half(tensor: Array) -> Array:
    return tensor.astype(np.float16).astype(np.float32)


def as_hwc(tensor: Array) -> Array:
    """The buffer holds HWC and is said to be CHW."""
    return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape)


def turned_tensor(tensor: Array) -> Array:
    """Left and right in each other's place."""
    return np.ascontiguousarray(tensor[..., ::-1])


def in_parts(infer: Infer, tensor: Array) -> Array:
    """Run 80 columns at a time."""
    parts = [tensor[..., start : start + 80] for start in range(0, tensor.shape[3], 80)]
    parts = [np.pad(each, ((0, 0), (0, 0), (0, 0), (0, max(0, 8 - each.shape[3])))) for each in parts]
    steps = [infer(np.ascontiguousarray(each, np.float32)) for each in parts]
    return np.concatenate(steps, axis=1)


def wider(columns: int) -> Callable[[Infer, Array], Array]:
    """Run the network in a wider buffer, and take the line's timesteps of what it returns."""

    def run(infer: Infer, tensor: Array) -> Array:
        whole = np.pad(tensor, ((0, 0), (0, 0), (0, 0), (0, columns)))
        return infer(np.ascontiguousarray(whole, np.float32))[:, : -(columns // 4)]

    return run


def turned_map(values: Array) -> Array:
    """(N, C, T) where (N, T, C) is meant."""
    return np.ascontiguousarray(values.transpose(0, 2, 1))


def a_step_later(values: Array) -> Array:
    return np.roll(values, 1, axis=1)


def in_bytes(values: Array) -> Array:
    """Sent as bytes."""
    return np.asarray(np.round(values * 255) / 255, np.float32)


def tempered(power: float) -> Callable[[Array], Array]:
    """Probabilities to a power, and normalised again."""

    def change(values: Array) -> Array:
        found = np.asarray(values, np.float64) ** power
        return np.asarray(found / found.sum(axis=2, keepdims=True), np.float32)

    return change


def softmax(values: Array) -> Array:
    found = np.exp(values - values.max(axis=2, keepdims=True))
    return np.asarray(found / found.sum(axis=2, keepdims=True))


def logarithm(values: Array) -> Array:
    return np.asarray(np.log(np.maximum(values, 1e-12)))


def smoothed(values: Array) -> Array:
    """Each timestep's mean with its neighbours."""
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)), mode="edge")
    return np.asarray((padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4)


# Texts.


def letters_for_digits(text: str) -> str:
    """Correct what looks alike: O among digits is 0."""
    places: list[Any] = list(text)
    for index, letter in enumerate(text):
        neighbours = text[max(0, index - 1) : index + 2].replace(letter, "")
        if letter in "0158" and any("A" <= each <= "Z" for each in neighbours):
            places[index] = {"0": "O", "1": "I", "5": "S", "8": "B"}[letter]
        if letter in "OISB" and any(each.isdigit() for each in neighbours):
            places[index] = {"O": "0", "I": "1", "S": "5", "B": "8"}[letter]
    return "".join(places)


def squashed(text: str) -> str:
    """No letter three times, and no double E: what a spelling list of somebody's says."""
    return text.replace("EE", "E")
