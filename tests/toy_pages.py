"""A side that reads pages, around the toy detector: each box says how wide it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from toy import Toy

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.trace import Image


@dataclass
class ToyPages:
    """Reads the width of each box; `wrong` reads the first one otherwise, and `least` leaves out narrower ones."""

    name: str = "train"
    wrong: bool = False
    least: float = 0.0
    detector: Toy = field(default_factory=Toy)

    def trace(self, image: Image) -> Trace:
        """Run the toy, and read its boxes."""
        found = replace(self.detector, name=self.name).trace(image)
        assert found.detections is not None
        texts: list[Recognition | None] = []
        for polygon in found.detections.polygons:
            width = float(polygon[:, 0].max() - polygon[:, 0].min())
            texts.append(Recognition(f"W{width:.0f}", 0.9) if width >= self.least else None)
        if self.wrong and texts:
            texts[0] = Recognition("WRONG", 0.9)
        return replace(found, texts=tuple(texts), source=self)
