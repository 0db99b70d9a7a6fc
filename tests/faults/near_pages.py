"""Near misses up to the tensor: padding, scaling, crops, pixels, sizes, colours and numbers."""

from __future__ import annotations

import math
from typing import Any

from faults import page_hooks, wrappers
from faults.foreign import MEAN, STD, load_bgr
from faults.near_miss import NearMiss, Table, port, wrapped

IMAGES = ("curved.png", "colours.png", "receipt.png")
OBLONG = ("colours.png", "odd_size.png", "receipt.png")
"""Pages that are not square: of a square one, a border or a fixed size may be nothing but a limit."""
GREY, BLACK = 114, 0

padded = Table("padding", OBLONG)


def letterbox(value: int, at: float, *, is_taken_off: bool = True) -> dict[str, Any]:
    """A page of 960x960 px in which the page keeps its aspect."""
    return page_hooks.Letterbox((960, 960), value, at, is_taken_off=is_taken_off).hooks()


PLACED = ("size", "resample", "ratios", "place")
STILL_PADDED: dict[str, tuple[str, ...]] = {
    "rescale.offset": (),
    "resize.padding": PLACED,
    "decode.cropped": ("prepare",),
}
"""Whoever takes the offset off the boxes has the border still."""
OFFSET = "the page lies in the middle of the picture, and nobody takes that off the boxes"
PADDING = [
    padded("A3 grey square around the inference side", wrapped(wrappers.PadsToSquare), "resize:resize.padding"),
    padded(
        "A4 padded to 32 and not rounded",
        port(**page_hooks.PadsTo32().hooks()),
        "resize/tensor:resize.padding",
        images=("half_stride.png", "odd_size.png", "receipt.png"),  # of the last, the size is right
    ),
    padded("grey square before the resize", port(prepare=page_hooks.square(GREY)), "resize:resize.padding"),
    padded("black square before the resize", port(prepare=page_hooks.square(BLACK)), "resize:resize.padding"),
    padded("letterbox, top left, grey", port(**letterbox(GREY, 0)), "resize:resize.padding"),
    padded("letterbox, centred, grey", port(**letterbox(GREY, 0.5)), "resize:resize.padding"),
    padded("letterbox, bottom right, black", port(**letterbox(BLACK, 1)), "resize:resize.padding"),
    padded(
        "letterbox, centred, offset left in",
        port(STILL_PADDED, **letterbox(GREY, 0.5, is_taken_off=False)),
        "resize:resize.padding",
        "resize.padding",
        "rescale.offset",
        also="rescale.offset",
        because=OFFSET,
    ),
    padded(
        "letterbox, bottom right, offset left in",
        port(STILL_PADDED, **letterbox(BLACK, 1, is_taken_off=False)),
        "resize:resize.padding",
        "resize.padding",
        "rescale.offset",
        also="rescale.offset",
        because=OFFSET,
    ),
]

client = Table("scaling", ("curved.png", "colours.png", "odd_size.png"))
STILL_SCALED: dict[str, tuple[str, ...]] = {"rescale.ratio": (), "decode.scaled": ("load",)}
FRAME = "the boxes are in pixels of the page that the client scaled"


def scaled(factor: float, *, is_mapped_back: bool = True, **more: Any) -> dict[str, Any]:
    place = {"place": page_hooks.from_scaled(factor)} if is_mapped_back else {}
    return {"load": page_hooks.loading(page_hooks.scaled(factor)), **place, **more}


UNSEEN = ("resize", "tensor", "probability_map")
SCALING = [
    client("halved by a client", port(**scaled(0.5)), "decode:decode.scaled"),
    client("doubled by a client", port(**scaled(2)), "decode:decode.scaled"),
    client("halved by a client, unseen", port(**scaled(0.5, recorded=UNSEEN)), "decode/resize/tensor:decode.scaled"),
    client("doubled by a client, unseen", port(**scaled(2, recorded=UNSEEN)), "decode/resize/tensor:decode.scaled"),
    client(
        "halved, boxes of the small page",
        port(STILL_SCALED, **scaled(0.5, is_mapped_back=False)),
        "decode:decode.scaled",
        "decode.scaled",
        "rescale.ratio",
        also="rescale.ratio",
        because=FRAME,
    ),
    client(
        "doubled, boxes of the large page",
        port(STILL_SCALED, **scaled(2, is_mapped_back=False)),
        "decode:decode.scaled",
        "decode.scaled",
        "rescale.ratio",
        also="rescale.ratio",
        because=FRAME,
    ),
    client(
        "halved around the inference side",
        wrapped(wrappers.ScaledByClient),
        "decode:decode.scaled",
        unnamed={"odd_size.png": "an odd side is scaled by the factor and not to the size, which samples otherwise"},
    ),
]

cut = Table("crop", IMAGES)
CROP = [
    cut(
        "margins cut, origin added",
        port(prepare=page_hooks.cropped, place=page_hooks.from_crop),
        "resize/tensor:decode.cropped",
    ),
    cut(
        "margins cut, origin forgotten",
        port(STILL_PADDED, prepare=page_hooks.cropped),
        "resize/tensor:decode.cropped",
        "decode.cropped",
        "rescale.offset",
        also="rescale.offset",
        because="the boxes start at the corner of the crop, and nobody adds its place in the page",
    ),
    cut(
        "margins cut before the port sees the page",
        port(load=page_hooks.loading(page_hooks.cropped), place=page_hooks.from_crop),
        "decode:decode.cropped",
    ),
]

COLOURED = ("rotated.jpg", "colours.png", "poster.jpg")
LOADED: dict[str, Any] = {
    "also": "decode.pixels",
    "because": "the decoded pixels do differ; the port changes pixels that it is given as well",
}
pixels = Table("pixels", IMAGES)
PIXELS = [
    pixels("contrast of the pixels", port(prepare=page_hooks.more_contrast), "resize/tensor:unknown"),
    pixels("gamma", port(prepare=page_hooks.gamma), "resize/tensor:unknown"),
    pixels("brighter", port(prepare=page_hooks.brighter), "resize/tensor:unknown"),
    pixels("blurred", port(prepare=page_hooks.blurred), "resize/tensor:unknown"),
    pixels("sharpened", port(prepare=page_hooks.sharpened), "resize/tensor:unknown"),
    pixels("brighter when loaded", port(load=page_hooks.loading(page_hooks.brighter)), "decode:unknown", **LOADED),
    pixels(
        "JPEG round trip of the file", port(load=page_hooks.loading(page_hooks.as_jpeg)), "decode:unknown", **LOADED
    ),
    pixels("JPEG round trip within the port", port(prepare=page_hooks.as_jpeg), "resize/tensor:resize.pixels"),
    pixels(
        "grey when loaded",
        port(load=page_hooks.loading(page_hooks.grey)),
        "decode:unknown",
        also="decode.pixels",
        because="the decoded pixels do differ, and grey is how",
        images=COLOURED,
    ),
    pixels("grey within the port", port(prepare=page_hooks.grey), "resize/tensor:resize.pixels", images=COLOURED),
]

sampled = Table("interpolation", IMAGES)
INTERPOLATION = [
    sampled("nearest", port(resample=page_hooks.by_cv2("NEAREST")), "resize/tensor:resize.interpolation"),
    sampled("area", port(resample=page_hooks.by_cv2("AREA")), "resize/tensor:resize.interpolation"),
    sampled("cubic", port(resample=page_hooks.by_cv2("CUBIC")), "resize/tensor:resize.interpolation"),
    sampled("PIL", port(resample=page_hooks.by_pil), "resize/tensor:resize.interpolation"),
]

sized = Table("size", IMAGES)
FIXED = "a port's fixed size is neither a yml's image_shape nor an option: both names say what it is"
SIZE = [
    sized(
        "rounded down",
        port(size=page_hooks.rounding(math.floor)),
        "resize:resize.rounding",
        images=("half_stride.png", "colours.png", "receipt.png"),
    ),
    sized(
        "rounded up",
        port(size=page_hooks.rounding(math.ceil)),
        "resize:resize.rounding",
        images=("half_stride.png", "odd_size.png", "poster.jpg"),
    ),
    sized(
        "(n / 32 - 1) * 32",
        port(size=page_hooks.rounding(lambda share: int(share) - 1)),
        "resize:resize.rounding",
    ),
    sized(
        "960/max",
        port(size=page_hooks.limits(960, "max")),
        "resize:resize.limits",
        images=("curved.png", "colours.png", "poster.jpg"),
    ),
    sized("64/min", port(size=page_hooks.limits(64, "min")), "resize:resize.limits"),
    sized(
        "640x640",
        port(size=page_hooks.fixed(640, 640)),
        "resize:resize.image_shape",
        also="resize.input_shape",
        because=FIXED,
        images=OBLONG,
    ),
    sized(
        "960/max by area",
        port(
            {"resize.limits": ("size",), "resize.interpolation": ("resample",)},
            size=page_hooks.limits(960, "max"),
            resample=page_hooks.by_cv2("AREA"),
        ),
        "resize:resize.interpolation",
        "resize.interpolation",
        "resize.limits",
        also="resize.limits",
        because="the limits are wrong; that they are not all must show, as following the fix does not mend it",
        images=("colours.png", "odd_size.png", "poster.jpg"),  # whose size changes by it, so that the area shows
    ),
]

coloured = Table("colour", COLOURED)
COLOUR = [
    coloured("RGB fed", port(normalise=page_hooks.reversed_channels), "tensor:decode.channel_order"),
    coloured(
        "RGB loaded, and called BGR",
        port(load=lambda image: load_bgr(image)[..., ::-1].copy()),
        "decode:decode.channel_order",
    ),
    coloured(
        "RGB loaded and called RGB, fed as BGR",
        port(load=lambda image: load_bgr(image)[..., ::-1].copy(), order="RGB"),
        "decode/resize/tensor:decode.channel_order",
    ),
]

valued = Table("normalisation", IMAGES)
NORMALISATION = [
    valued(
        "A5 normalised twice",
        port(normalise=page_hooks.normalised_twice),
        "tensor:normalize.twice",
    ),
    valued(
        "A5 normalised twice around the inference side",
        wrapped(wrappers.NormalisesTwice),
        "tensor:normalize.twice",
    ),
    valued("A5 contrast as floats", port(normalise=page_hooks.contrast_first), "tensor:unknown"),
    valued("A5 contrast around the inference side", wrapped(wrappers.MoreContrast), "tensor:unknown"),
    valued(
        "not normalised, 0 to 255",
        port(normalise=page_hooks.raw),
        "tensor:normalize.mean_std",
        "normalize.mean_std",
        "normalize.scale",
    ),
    valued(
        "mean for std and std for mean",
        port(normalise=page_hooks.by_statistics(STD.tolist(), MEAN.tolist())),
        "tensor:normalize.mean_std",
    ),
    valued(
        "statistics of RGB",
        port(normalise=page_hooks.by_statistics(MEAN.tolist()[::-1], STD.tolist()[::-1])),
        "tensor:normalize.mean_std_order",
        also="normalize.mean_std",
        because="in another order they are other values",
    ),
    valued("127.5", port(normalise=page_hooks.by_statistics([0.5] * 3, [0.5] * 3)), "tensor:normalize.mean_std"),
    valued(
        "mean alone",
        port(normalise=page_hooks.by_statistics([0.5] * 3, STD.tolist())),
        "tensor:normalize.mean_std",
    ),
    valued(
        "scale of 256",
        port(normalise=page_hooks.by_statistics(MEAN.tolist(), STD.tolist(), 256.0)),
        "tensor:normalize.scale",
    ),
    valued(
        "tensor in fp16",
        port(feed=page_hooks.as_half),
        "tensor:normalize.precision",
    ),
    valued("channels last", port(feed=page_hooks.as_channels_last), "tensor:layout.axes"),
]

PAGES: list[NearMiss] = [
    *PADDING,
    *SCALING,
    *CROP,
    *PIXELS,
    *INTERPOLATION,
    *SIZE,
    *COLOUR,
    *NORMALISATION,
]
