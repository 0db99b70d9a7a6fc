"""What records a run of RapidOCR's recogniser, around an object that is made like RapidOCR's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.rapidocr.rapid_recogniser import recorded_line, recorded_lines


class Recogniser:
    """Resizes lines to 4x8, fills them up to the widest of two, and adds 1."""

    def __init__(self, watched: Watched) -> None:
        self.session: Any = lambda batch: batch + 1
        self.watched = watched

    def resize_norm_img(self, line: Any, width: int) -> Any:
        self.watched.pictures.append(np.repeat(line, 2, axis=1))
        made = np.zeros((3, 4, width), np.float32)
        made[..., : line.shape[1]] = line[0, 0, 0]
        return made

    def __call__(self, lines: list[Any]) -> list[Any]:
        found: list[Any] = [None] * len(lines)
        order = sorted(range(len(lines)), key=lambda index: lines[index].shape[1])
        for start in range(0, len(order), 2):
            batch = order[start : start + 2]
            width = max(lines[index].shape[1] for index in batch)
            maps = self.session(np.stack([self.resize_norm_img(lines[index], width) for index in batch]))
            for index, made in zip(batch, maps, strict=True):
                found[index] = made
        return found


class Engine:
    """Loads a line, halves its rows, recognises it."""

    def __init__(self) -> None:
        self.watched = Watched()
        self.text_rec = Recogniser(self.watched)
        self.load_img: Any = lambda image: image

    def preprocess_img(self, image: Any) -> tuple[Any, dict[str, Any]]:
        return image[::2], {"preprocess": {"ratio_h": 2.0, "ratio_w": 1.0}}

    def __call__(self, image: Any) -> Any:
        line, _ = self.preprocess_img(self.load_img(image))
        return self.text_rec([line])[0]


def line(width: int, grey: int = 7) -> Any:
    return np.full((4, width, 3), grey, np.uint8)


def test_a_run_is_recorded_and_ends_before_the_network() -> None:
    engine, ended = Engine(), []
    before, session = dict(vars(engine)), engine.text_rec.session
    with recorded_line(engine) as run:
        engine(line(8))
        ended.append("not here")
    assert ended == []
    assert run.decoded.shape == (4, 8, 3) and run.page.shape == (2, 8, 3) and run.tensor.shape == (1, 3, 4, 8)
    assert run.steps["preprocess"]["ratio_h"] == 2.0
    assert dict(vars(engine)) == before and engine.text_rec.session is session
    assert float(engine(line(8)).max()) == 8


def test_with_another_session_it_runs_to_its_end() -> None:
    engine = Engine()
    with recorded_line(engine, session=lambda batch: batch * 0):
        assert not engine(line(8)).any()


def test_what_it_raises_is_raised_and_everything_is_put_back() -> None:
    engine = Engine()
    before = dict(vars(engine))
    with pytest.raises(TypeError), recorded_line(engine):
        engine(None)
    assert dict(vars(engine)) == before


def test_lines_are_recorded_in_the_order_in_which_they_run() -> None:
    engine, admitted = Engine(), list[Any]()
    lines = [line(8, 1), line(4, 2), line(6, 3)]
    with recorded_lines(engine, engine.watched, lambda batch: admitted.append(batch.shape)) as seen:
        found = engine.text_rec(lines)
    assert admitted == [(2, 3, 4, 6), (1, 3, 4, 8)]
    assert [next(index for index, each in enumerate(lines) if each is one) for one in seen.lines] == [1, 2, 0]
    assert [each.shape for each in seen.tensors] == [(1, 3, 4, 6), (1, 3, 4, 6), (1, 3, 4, 8)]
    assert [int(each.max()) for each in seen.maps] == [3, 4, 2]
    assert [each.shape[1] for each in seen.pictures] == [8, 12, 16]
    assert [int(each.max()) for each in found] == [2, 3, 4]
    assert "resize_norm_img" not in vars(engine.text_rec)


def test_a_batch_that_is_not_admitted_does_not_run() -> None:
    engine = Engine()

    def refuse(batch: Any) -> None:
        raise MemoryError(batch.shape)

    with pytest.raises(MemoryError), recorded_lines(engine, engine.watched, refuse) as seen:
        engine.text_rec([line(8)])
    assert seen.maps == []
