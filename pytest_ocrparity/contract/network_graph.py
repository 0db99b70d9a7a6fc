"""What a side may offer so that the layer is found at which its network goes wrong: its graph, and the values in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of a network that makes a float32 array of what the network is given.

    Attributes:
        operator: what it computes, in paddle's words, such as "conv2d".
        inputs: the places in `NetworkGraph.nodes` of those whose arrays it takes.
        layer: the dotted name of the trained network's layer that it belongs to, "" for the network itself; None where
            the graph does not tell, as in an export.
        attributes: its attributes by paddle's names, as far as they are known.
        kernel: the shape of the largest array of weights that it takes, () where it takes none.
    """

    operator: str
    inputs: tuple[int, ...] = ()
    layer: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    kernel: tuple[int, ...] = ()


class NetworkGraph(Protocol):
    """A network as a graph of operators, each of whose arrays can be read and replaced."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The operators in an order in which they can be computed; the first stands for the tensor itself."""
        ...

    @property
    def output(self) -> int:
        """The place of the node that makes the map."""
        ...

    def run(
        self,
        tensor: npt.NDArray[np.float32],
        wanted: Sequence[int],
        replaced: Mapping[int, npt.NDArray[np.float32]] | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Run the network, and return the arrays that some nodes make.

        Args:
            tensor: a (1, 3, h, w) tensor.
            wanted: the places of these nodes.
            replaced: by place, what every other node is given in the place of a node's array; what is returned of that
                node itself is still what it makes.
        """
        ...


class SamplesArrays(Protocol):
    """A graph of which some values of each array are read in one run, without all arrays being held at once."""

    def samples(self, tensor: npt.NDArray[np.float32], step: int) -> list[npt.NDArray[np.float32]]:
        """Run the network; return every `step`-th row and column of the tensor, and of what each other node makes."""
        ...


class RunsOperators(Protocol):
    """A graph whose framework can run some operators by themselves."""

    def operator_output(
        self,
        operator: str,
        attributes: Mapping[str, Any],
        array: npt.NDArray[np.float32],
        shape: Sequence[int],
    ) -> npt.NDArray[np.float32] | None:
        """Return what an operator without weights makes of an array, of this shape; None of one that can't be run."""
        ...


class HasGraph(Protocol):
    """A candidate whose program can be read; a network of a train side, which is traced."""

    def network_graph(self) -> NetworkGraph:
        """Return the network's graph."""
        ...
