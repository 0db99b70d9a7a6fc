"""A line in a batch of wider ones against itself alone, and why it reads otherwise there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from toy_reader import CELL, LEVELS, NOTHING, Reader, line

from pytest_ocrparity import Trace
from pytest_ocrparity.contract import trace_anew
from pytest_ocrparity.diagnose.batch_runs import BatchRun
from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image

Array = npt.NDArray[np.float32]
LINES = [line("abba"), line("ab ab ab ab")]


class Fills(Reader):
    """Fills the lines of a batch up to the widest, as paddlex does."""

    def filled(self, tensor: Array, width: int) -> Array:
        return np.pad(tensor, ((0, 0), (0, 0), (0, 0), (0, width - tensor.shape[-1])))

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        traces = [self.preprocess(image) for image in images]
        width = max(trace.tensor.shape[-1] for trace in traces if trace.tensor is not None)
        made = []
        for trace in traces:
            assert trace.tensor is not None
            tensor = self.filled(trace.tensor, width)
            probability_map = self.infer(tensor)
            recognition = self.read_map(probability_map)
            made.append(
                replace(trace, tensor=tensor, probability_map=probability_map, recognition=recognition, source=self)
            )
        return made


class Attends(Fills):
    """Sees the whole line at each timestep: what is filled up makes its letters lighter."""

    def infer(self, tensor: Array) -> Array:
        empty = float((tensor == 0).all((0, 1, 2)).mean())
        return super().infer(np.where(tensor == 0, tensor, tensor + np.float32(0.6 * max(0.0, empty - 0.1))))


class Wakes(Fills):
    """Reads a letter in the last of many empty columns."""

    def infer(self, tensor: Array) -> Array:
        seen = np.array(tensor)
        if tensor.shape[-1] > self.base_width:
            seen[..., -2 * CELL : -CELL] = LEVELS["c"] / 127.5 - 1
        return super().infer(seen)


def run_of(side: Any, images: Sequence[Image]) -> BatchRun:
    return BatchRun.of(side, images, [trace_anew(side, image) for image in images])


def statuses(run: BatchRun, index: int) -> dict[str, str]:
    return {each.kind: each.status for each in run.comparisons(index, BUILT_IN)}


def test_of_a_line_that_is_filled_up_the_texts_alone_are_compared() -> None:
    run = run_of(Fills(name="port"), LINES)
    assert statuses(run, 0) == {"text": "same"}  # its map has other timesteps
    assert statuses(run, 1) == {"preprocessing": "same", "probability_maps": "same", "text": "same"}


def test_a_line_of_which_nothing_is_read_may_be_filled_up() -> None:
    run = run_of(Fills(name="port"), [NOTHING, *LINES])
    assert [each.is_match for each in run.comparisons(0, BUILT_IN)] == [True]
    run = run_of(Wakes(name="port"), [NOTHING, *LINES])
    assert [each.is_match for each in run.comparisons(0, BUILT_IN)] == [False]


def test_a_line_that_reads_otherwise_as_it_is_filled_up_is_named_so() -> None:
    run = run_of(Attends(name="port"), LINES)
    assert statuses(run, 0) == {"text": "different"}
    (found,) = run.diagnose(0, BUILT_IN)
    assert found.cause == "resize.batch_padding"
    assert found.stage == "resize"
    alone, together = (each.recognition.text for each in (run.alone[0], run.together[0]) if each.recognition)
    assert alone == "abba" != together
    assert found.summary == (
        f"line.png is filled up to the widest line of its batch, from 64 to 176 px, and reads {together!r} then"
    )
    assert found.evidence == (
        f"with as many columns added to its tensor, port makes the batch's map alone and reads {together!r}; without "
        "them 'abba'",
    )
    assert found.fix is not None and "run lines one by one" in found.fix.text


def test_a_line_that_is_changed_as_well_is_not_said_to_be_filled_up() -> None:
    class Shrinks(Attends):
        def filled(self, tensor: Array, width: int) -> Array:
            full = super().filled(tensor, width)
            return full * np.float32(0.9) if width > tensor.shape[-1] else full

    run = run_of(Shrinks(name="port"), LINES)
    assert statuses(run, 0)["preprocessing"] == "different"
    assert run.diagnose(0, BUILT_IN)[0].cause != "resize.batch_padding"


def test_a_line_whose_map_alone_is_another_one_is_not_said_to_be_filled_up() -> None:
    class Mixes(Attends):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            made = super().trace_batch(images)
            return [replace(each, probability_map=each.probability_map * np.float32(0.9)) for each in made
                    if each.probability_map is not None]  # fmt: skip

    assert run_of(Mixes(name="port"), LINES).diagnose(0, BUILT_IN)[0].cause != "resize.batch_padding"


def test_lines_that_get_the_texts_of_others_are_not_explained_by_what_is_filled_up() -> None:
    class Swaps(Fills):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            made = super().trace_batch(images)
            texts = [each.recognition for each in made]
            return [replace(each, recognition=text) for each, text in zip(made, texts[::-1], strict=True)]

    run = run_of(Swaps(name="port"), LINES)
    assert statuses(run, 0) == {"text": "different"}
    assert run.diagnose(0, BUILT_IN)[0].cause != "resize.batch_padding"


def test_without_a_batch_of_its_own_lines_of_one_width_are_stacked() -> None:
    class Stacks(Reader):
        def infer(self, tensor: Array) -> Array:
            return np.concatenate([super(Stacks, self).infer(each[None]) for each in tensor])

    run = run_of(Stacks(name="port"), [line("abba"), line("cdc ")])
    assert [each.recognition.text for each in run.together if each.recognition] == ["abba", "cdc "]
    assert set(statuses(run, 0).values()) == {"same"}


class Cuts(Attends):
    """Makes a line a column wider in a batch than alone, where it is cut to a whole pixel, as RapidOCR does."""

    more = 1

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        alone, made = [self.preprocess(image) for image in images], super().trace_batch(images)
        for index, (one, trace) in enumerate(zip(alone, made, strict=True)):
            assert one.tensor is not None and trace.tensor is not None
            width = one.tensor.shape[-1]
            if trace.tensor.shape[-1] == width:
                continue
            tensor = np.array(trace.tensor)
            tensor[..., : width + self.more] = np.concatenate(
                [one.tensor[..., :1], one.tensor, *[one.tensor[..., -1:]] * (self.more - 1)], axis=-1
            )
            probability_map = self.infer(tensor)
            resize = {**trace.parameters["resize"], "content_width": width + self.more, "width": tensor.shape[-1]}
            made[index] = replace(
                trace,
                tensor=tensor,
                probability_map=probability_map,
                recognition=self.read_map(probability_map),
                parameters={**trace.parameters, "resize": resize},
            )
        return made


def test_a_line_that_is_a_pixel_wider_in_the_batch_is_one_that_is_filled_up() -> None:
    run = run_of(Cuts(name="port"), LINES)
    assert list(statuses(run, 0)) == ["text"]
    (found,) = run.diagnose(0, BUILT_IN)
    assert found.cause == "resize.batch_padding"
    assert found.evidence[0].startswith("with its tensor of the batch, port makes the batch's map alone and reads")


def test_one_that_is_two_pixels_wider_is_not() -> None:
    class Widens(Cuts):
        more = 2

    run = run_of(Widens(name="port"), LINES)
    assert statuses(run, 0)["preprocessing"] == "different"
    assert run.diagnose(0, BUILT_IN)[0].cause != "resize.batch_padding"


def test_the_fix_is_in_the_words_of_a_side_that_has_them() -> None:
    class Words(Attends):
        def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
            if (stage, values) != ("resize", {"batch_size": 1}):
                raise ValueError(values)
            return Fix("run them one by one")

    assert run_of(Words(name="port"), LINES).diagnose(0, BUILT_IN)[0].fix == Fix("run them one by one")

    class Refuses(Attends):
        def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
            raise ValueError(values)

    fix = run_of(Refuses(name="port"), LINES).diagnose(0, BUILT_IN)[0].fix
    assert fix is not None and "(batch_size=1)" in fix.text
