"""What a side may offer whose program rounds its weights or what its layers return, or computes in float16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RoundedOperator:
    """An operator whose kernel is stored in whole steps.

    Attributes:
        name: what the program calls it.
        kernel: what the stored steps stand for.
        step: how much one of them is; one number, or one per channel in an array that broadcasts to the kernel.
        bias: its bias, rounded or not; None where it has none.
        bias_step: how much a step of the bias is, as of the kernel; 0 where it is not rounded.
        grid: how its kernel is rounded, in words, such as "8 bits per tensor, symmetric".
        takers: what the program calls the operators that take what it makes; None where operators are left out by the
            names of their layers, and what takes their results does not matter.
    """

    name: str
    kernel: npt.NDArray[np.float32]
    step: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32] | None
    bias_step: npt.NDArray[np.float32]
    grid: str
    takers: tuple[str, ...] | None = ()


class QuantisedProgram(Protocol):
    """A program with such operators, or with others that round what is handed from one to the next (QDQ)."""

    @property
    def operators(self) -> Sequence[RoundedOperator]:
        """Those whose kernels are rounded, in the program's order."""
        ...

    @property
    def rounded(self) -> int:
        """How many arrays are rounded on their way from one operator to the next."""
        ...

    @property
    def quantiser(self) -> str:
        """What made the program, as one calls it in Python."""
        ...

    @property
    def per_channel(self) -> str:
        """The argument of that which gives each channel of a kernel a step of its own, "" where there is none."""
        ...

    @property
    def leaves_out(self) -> str:
        """What leaves operators out of it, in words."""
        ...

    @property
    def other_steps(self) -> Sequence[str]:
        """How one quantises with other steps between operators, in words."""
        ...

    def run(
        self,
        tensor: npt.NDArray[np.float32],
        *,
        rounds: bool = True,
        kept: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any] | None]] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the map as the program says it, without what an engine makes of it.

        Args:
            tensor: a (1, 3, h, w) tensor.
            rounds: whether arrays are rounded on their way.
            kept: kernels and biases in fp32 of some operators, by name. An array is then not rounded where all that
                make and take it are in fp32, as where a program is quantised without these operators.
        """
        ...


class IsQuantised(Protocol):
    """A candidate whose program may have been quantised."""

    def quantised_program(self) -> QuantisedProgram | None:
        """Return the program, or None where it has no rounded kernel and rounds nothing."""
        ...


class HalfProgram(Protocol):
    """A program whose operators compute in float16."""

    @property
    def operators(self) -> int:
        """How many do."""
        ...

    def run(self, tensor: npt.NDArray[np.float32], *, in_half: bool = True) -> npt.NDArray[np.float32]:
        """Return the map that the side's engine alone makes of the program.

        Args:
            tensor: a (1, 3, h, w) tensor.
            in_half: whether as it is stored; else with float32 in the place of float16 throughout.
        """
        ...


class ComputesInHalf(Protocol):
    """A candidate whose program may compute in float16."""

    def half_program(self) -> HalfProgram | None:
        """Return the program, or None where no operator of it does."""
        ...
