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
    (found,) = align_parameters(order(arrays), TRAINED)
    assert (found.pairs, found.is_named) == (truth, False)


@pytest.mark.parametrize("style", STYLES)
def test_of_other_weights_shapes_tell_in_the_order_of_use(style: str) -> None:
    arrays, truth = renamed(exported(0.5), style)
    (found,) = align_parameters(arrays, TRAINED, USED)
    assert (found.pairs, found.is_named) == (truth, False)


@pytest.mark.parametrize("style", STYLES)
def test_of_two_heads_of_one_shape_either_may_be_meant(style: str) -> None:
    arrays, _ = renamed(exported(0.5), style)
    assert align_parameters(arrays, TRAINED) == []


def test_one_equal_array_tells_which_head_it_is() -> None:
    second = {**{name: exported(0.5)[name] for name in USED[:-2]}, **{n: TRAINED[n] for n in tuple(TRAINED)[-2:]}}
    arrays, truth = renamed(second)
    (found,) = align_parameters(arrays, TRAINED)
    assert found.pairs == truth


def test_one_array_that_differs_is_found_among_equal_ones() -> None:
    wrong = {**exported(), "conv2d_1.w_0": TRAINED["conv2d_1.w_0"] * 2}
    arrays, truth = renamed(wrong)
    (found,) = align_parameters(arrays, TRAINED, USED)
    assert found.pairs == truth


@pytest.mark.parametrize("wrong", [["conv2d_1.w_0"], ["conv2d_1.w_0", "batch_norm2d_0.w_1", "batch_norm2d_0.w_2"]])
def test_in_another_order_what_is_left_over_is_told_by_its_shape_alone(wrong: list[str]) -> None:
    """Two of one shape that differ, in no known order, are not told."""
    arrays, truth = renamed(dict(reversed({**exported(), **{name: TRAINED[name] * 2 for name in wrong}}.items())))
    expected = [] if len(wrong) > 1 else [(truth, False)]
    assert align_parameters(arrays, TRAINED, USED) == expected


def test_two_arrays_that_changed_places_are_told_both_ways() -> None:
    """By content they are the checkpoint's, and by their places they are not: which holds, an experiment shows."""
    scale, offset = "batch_norm2d_0.w_0", "batch_norm2d_0.b_0"
    arrays, truth = renamed({**exported(), scale: TRAINED[offset], offset: TRAINED[scale]})
    by_content = {new: {scale: offset, offset: scale}.get(name, name) for new, name in truth.items()}
    assert align_parameters(arrays, TRAINED, USED) == [(by_content, False), (truth, False)]


def test_sides_of_one_tell_nothing() -> None:
    """A program adds a bias as (1, C, 1, 1), and a number as ()."""
    arrays, truth = renamed(exported(0.5))
    shapes = {"conv2d_1.b_0": (1, 6, 1, 1), "conv2d_2.b_0": ()}
    arrays = {new: array.reshape(shapes.get(truth[new], array.shape)) for new, array in arrays.items()}
    assert align_parameters(arrays, TRAINED, USED) == [(truth, False)]


@pytest.mark.parametrize("change", [0.0, 0.5])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_number_of_a_programs_own_is_no_weight(change: float, is_named: bool) -> None:
    """Such as the 3 of a hard swish; without names, it is told from a bias that is the checkpoint's."""
    wrong = {**exported(change), "conv2d_2.b_0": TRAINED["conv2d_2.b_0"]}
    arrays, truth = (wrong, {name: name for name in wrong}) if is_named else renamed(wrong)
    (found,) = align_parameters({"helper": np.float32(3).reshape(1), **arrays}, TRAINED, USED)
    assert found == (truth, is_named)


@pytest.mark.parametrize("name", ["conv2d_2.b_0", "helper.1"])
def test_a_number_that_may_be_a_weight_is_not_left_out(name: str) -> None:
    """A bias of one number that is no longer called so, and is not the checkpoint's."""
    arrays = {own: array for own, array in exported().items() if own != "conv2d_2.b_0"}
    found = align_parameters(
        {"helper.0": np.ones((), np.float32), **arrays, name: np.ones(1, np.float32)}, TRAINED, USED
    )
    assert len(found) == (name == "conv2d_2.b_0")


def test_a_constant_is_equal_by_chance() -> None:
    """Fresh batch norm holds ones: the ones of a trained layer elsewhere do not say that it is that layer."""
    names = [f"batch_norm2d_{index}.w_0" for index in range(3)]
    trained = {name: RNG.normal(size=4).astype(np.float32) for name in names} | {names[2]: np.ones(4, np.float32)}
    fresh = {name: RNG.normal(size=4).astype(np.float32) for name in names} | {names[0]: np.ones(4, np.float32)}
    arrays, truth = renamed(fresh)
    (found,) = align_parameters(arrays, trained)
    assert found.pairs == truth


@pytest.mark.parametrize(
    "other",
    [{"x": np.zeros((5, 3), np.float32)}, {name: array for name, array in exported(0.5).items() if array.ndim > 1}],
    ids=["a shape that is nowhere", "fewer, which fit"],
)
def test_what_does_not_fit_is_not_guessed(other: dict[str, Array]) -> None:
    arrays, truth = renamed(other)
    assert align_parameters(arrays, TRAINED, USED) == ([] if "x" in other else [(truth, False)])


def test_names_come_before_content() -> None:
    """Two heads that changed places: by content all would be equal, by name they are not."""
    swapped = {**exported(), "conv2d_2.w_0": TRAINED["conv2d_3.w_0"], "conv2d_3.w_0": TRAINED["conv2d_2.w_0"]}
    heads = {name: swapped[name] for name in ("conv2d_2.w_0", "conv2d_3.w_0")}
    (found,) = align_parameters(heads, TRAINED, ("conv2d_2.w_0", "conv2d_3.w_0"))
    assert (found.pairs, found.is_named) == ({name: name for name in heads}, True)


def test_of_layers_of_one_kind_those_count_that_are_used() -> None:
    """Layers of one kind and one shape, of which an export leaves some out: their place is not their number."""
    trained = {f"lab_{index}.w_0": np.full(1, index, np.float32) for index in range(6)}
    export = {f"lab_{index}.w_0": np.full(1, 10 + index, np.float32) for index in (0, 2, 3, 5)}
    (found,) = align_parameters(export, trained, tuple(export))
    assert (found.pairs, found.is_named) == ({name: name for name in export}, True)
