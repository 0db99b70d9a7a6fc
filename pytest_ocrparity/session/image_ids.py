"""Which image of the settings a test's id names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# pytest joins the parameters of an id by "-", and ends equal ones in a number; a user's may hold a whole path.
_SEPARATOR: Final = re.compile(r"(?:_\d+|(?<!\d)\d+)?([^\w.]|$)")


class ImageIds:
    """The names of images as they stand in ids. Looking one up does not depend on how many there are."""

    def __init__(self, images: Iterable[str]) -> None:
        """Know these images by name."""
        # pytest writes what is not ASCII as escapes, unless its configuration says otherwise.
        escapes = {name.encode("unicode_escape").decode("ascii"): name for name in images}
        self._images = {name: name for name in escapes.values()} | escapes
        self._lengths = {len(text) for text in self._images}

    def __bool__(self) -> bool:
        """Tell whether there is any image."""
        return bool(self._images)

    def image_of(self, test: str) -> str | None:
        """Return the image that a test's id names, of several the one with the longest name; or None."""
        parameters = test.partition("[")[2]
        if not parameters:
            return None
        separators = list(_SEPARATOR.finditer(parameters))
        beginnings = [0, *(match.end() for match in separators)]
        ends = {place for match in separators for place in (match.start(), match.start(1))}
        texts = (
            parameters[beginning:end]
            for beginning in beginnings
            for end in ends
            if end - beginning in self._lengths  # a whole number is looked up sooner than a text is cut
        )
        found = max((text for text in texts if text in self._images), key=len, default=None)
        return None if found is None else self._images[found]
