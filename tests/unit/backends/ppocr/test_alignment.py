"""Which exported array is which trained one: by name, else by content, else by shape in the order of use."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.ppocr.alignment import align_parameters

Array = npt.NDArray[Any]
RNG = np.random.default_rng(8)


def layer(kind: str, number: int, **shapes: Sequence[int]) -> dict[str, Array]:
    return {f"{kind}_{number}.{part}": RNG.normal(size=shape).astype(np.float32) for part, shape in shapes.items()}


TRAINED: dict[str, Array] = {
    **layer("conv2d", 0, w_0=(4, 3, 3, 3)),
    **layer("batch_norm2d", 0, w_1=(4,), w_2=(4,), w_0=(4,), b_0=(4,)),
    **layer("conv2d", 1, w_0=(6, 4, 1, 1), b_0=(6,)),
    **layer("conv2d", 2, w_0=(1, 6, 2, 2), b_0=(1,)),  # the head
    **layer("conv2d", 3, w_0=(1, 6, 2, 2), b_0=(1,)),  # a second head, of no use in an evaluation
}
USED = tuple(TRAINED)[:-2]
STYLES = {
    "2.x": (f"conv{index}_depthwise_bn_offset" for index in itertools.count()),
    "2.x attributes": (f"binarizeconv{index}_b_attr" for index in itertools.count()),
    "random": (f"{value:016x}" for value in iter(lambda: int(RNG.integers(1 << 62)), None)),
}


def renamed(arrays: Mapping[str, Array], style: str = "2.x") -> tuple[dict[str, Array], dict[str, str]]:
    """Return arrays under other names, in the same order, and what each was called."""
    named = {next(STYLES[style]): name for name in arrays}
    return {new: arrays[name] for new, name in named.items()}, named


def exported(change: float = 0.0) -> dict[str, Array]:
    return {name: TRAINED[name] + np.float32(change) for name in USED}


def alphabetical(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return dict(sorted(arrays.items()))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("order", [dict, alphabetical, lambda arrays: dict(reversed(arrays.items()))])
def test_of_equal_bytes_neither_names_nor_order_matter(style: str, order: Any) -> None:
    arrays, truth = renamed(exported(), style)
    found = align_parameters(order(arrays), TRAINED)
    assert found is not None
    assert (found.pairs, found.is_named) == (truth, False)


@pytest.mark.parametrize("style", STYLES)
def test_of_other_weights_shapes_tell_in_the_order_of_use(style: str) -> None:
    arrays, truth = renamed(exported(0.5), style)
    found = align_parameters(arrays, TRAINED, USED)
    assert found is not None
    assert (found.pairs, found.is_named) == (truth, False)


@pytest.mark.parametrize("style", STYLES)
def test_of_two_heads_of_one_shape_either_may_be_meant(style: str) -> None:
    arrays, _ = renamed(exported(0.5), style)
    assert align_parameters(arrays, TRAINED) is None


def test_one_equal_array_tells_which_head_it_is() -> None:
    second = {**{name: exported(0.5)[name] for name in USED[:-2]}, **{n: TRAINED[n] for n in tuple(TRAINED)[-2:]}}
    arrays, truth = renamed(second)
    found = align_parameters(arrays, TRAINED)
    assert found is not None
    assert found.pairs == truth


def test_one_array_that_differs_is_found_among_equal_ones() -> None:
    wrong = {**exported(), "conv2d_1.w_0": TRAINED["conv2d_1.w_0"] * 2}
    arrays, truth = renamed(wrong)
    found = align_parameters(arrays, TRAINED, USED)
    assert found is not None
    assert found.pairs == truth


def test_an_order_that_the_content_contradicts_tells_nothing() -> None:
    wrong = {**exported(), "conv2d_1.w_0": TRAINED["conv2d_1.w_0"] * 2}
    arrays, _ = renamed(dict(reversed(wrong.items())))
    assert align_parameters(arrays, TRAINED, USED) is None


def test_a_constant_is_equal_by_chance() -> None:
    """Fresh batch norm holds ones: the ones of a trained layer elsewhere do not say that it is that layer."""
    names = [f"batch_norm2d_{index}.w_0" for index in range(3)]
    trained = {name: RNG.normal(size=4).astype(np.float32) for name in names} | {names[2]: np.ones(4, np.float32)}
    fresh = {name: RNG.normal(size=4).astype(np.float32) for name in names} | {names[0]: np.ones(4, np.float32)}
    arrays, truth = renamed(fresh)
    found = align_parameters(arrays, trained)
    assert found is not None
    assert found.pairs == truth


@pytest.mark.parametrize(
    "other",
    [{"x": np.zeros((5, 3), np.float32)}, {name: array for name, array in exported(0.5).items() if array.ndim > 1}],
    ids=["a shape that is nowhere", "fewer, which fit"],
)
def test_what_does_not_fit_is_not_guessed(other: dict[str, Array]) -> None:
    arrays, truth = renamed(other)
    found = align_parameters(arrays, TRAINED, USED)
    assert (found is None) if "x" in other else (found is not None and found.pairs == truth)


def test_names_come_before_content() -> None:
    """Two heads that changed places: by content all would be equal, by name they are not."""
    swapped = {**exported(), "conv2d_2.w_0": TRAINED["conv2d_3.w_0"], "conv2d_3.w_0": TRAINED["conv2d_2.w_0"]}
    heads = {name: swapped[name] for name in ("conv2d_2.w_0", "conv2d_3.w_0")}
    found = align_parameters(heads, TRAINED, ("conv2d_2.w_0", "conv2d_3.w_0"))
    assert found is not None
    assert (found.pairs, found.is_named) == ({name: name for name in heads}, True)


def test_of_layers_of_one_kind_those_count_that_are_used() -> None:
    """Layers of one kind and one shape, of which an export leaves some out: their place is not their number."""
    trained = {f"lab_{index}.w_0": np.full(1, index, np.float32) for index in range(6)}
    export = {f"lab_{index}.w_0": np.full(1, 10 + index, np.float32) for index in (0, 2, 3, 5)}
    found = align_parameters(export, trained, tuple(export))
    assert found is not None
    assert (found.pairs, found.is_named) == ({name: name for name in export}, True)
