"""What a side may offer whose weights can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt


class StoresWeights(Protocol):
    """A candidate whose weights can be read."""

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return its network's arrays by name, in the order in which it uses them as far as that is known."""
        ...


class StoresAllWeights(Protocol):
    """A candidate of which it is known whether these are all arrays that its network has."""

    def stores_all_weights(self) -> bool:
        """Return whether they are: a Paddle program names each array, and an ONNX file may hide one in a constant."""
        ...
