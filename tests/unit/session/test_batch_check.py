"""What a process runs in batches: which images share one, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from projects import settings_file
from records import comparison, tally
from toy import PAGE, Toy, page

from pytest_ocrparity import Trace
from pytest_ocrparity.report.document import Batched
from pytest_ocrparity.session.batch_check import Batches, _chunks, batch_check_result
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "images").mkdir()
    for index in range(5):
        np.save(tmp_path / "images" / f"{index}.npy", page(boxes=((8, 8 + 4 * index, 60, 20 + 4 * index),)))
    return load_settings(settings_file(tmp_path, 'images = ["images/*.npy"]\n'), {"ocr_batch": "2"}, tmp_path)


class Seen(Toy):
    """Notes the batches that it runs."""

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        vars(self).setdefault("seen", []).append([Path(str(image)).stem for image in images])
        return [self.trace(image) for image in images]


def heard(settings: Settings, side: Any, *names: str, asked: int = 2) -> Batches:
    batches = Batches(settings, lambda text: None)
    for name in names:
        batches.hear(side.trace(str(settings.root / "images" / f"{name}.npy")), BUILT_IN, asked)
    return batches


def ran(batches: Batches) -> dict[str, tuple[int, bool]]:
    found = [each for each in batches.run() if isinstance(each, Batched)]
    return {Path(each.image).stem: (each.size, each.is_same) for each in found}


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (4, 2, ["ab", "cd"]),
        (5, 2, ["ab", "cd", "de"]),
        (3, 4, ["abc"]),
        (1, 4, ["a"]),
        (7, 3, ["abc", "def", "efg"]),
    ],
)
def test_the_last_batch_is_as_large_as_the_others(count: int, size: int, expected: list[str]) -> None:
    assert ["".join(chunk) for chunk in _chunks("abcdefg"[:count], size)] == expected


def test_which_images_share_a_batch_does_not_depend_on_which_were_heard(settings: Settings) -> None:
    side = Seen(name="port")
    assert ran(heard(settings, side, "1", "4")) == {"1": (2, True), "4": (2, True)}
    assert vars(side)["seen"] == [["0", "1"], ["3", "4"]]
    side = Seen(name="port")
    assert set(ran(heard(settings, side, *"01234"))) == set("01234")
    assert vars(side)["seen"] == [["0", "1"], ["2", "3"], ["3", "4"]]


def test_images_that_the_settings_do_not_name_share_batches_among_themselves(
    settings: Settings, tmp_path: Path
) -> None:
    side, batches = Seen(name="port"), Batches(settings, lambda text: None)
    for name in "xy":
        np.save(tmp_path / f"{name}.npy", PAGE)
        batches.hear(side.trace(str(tmp_path / f"{name}.npy")), BUILT_IN, 2)
    assert ran(batches) == {"x": (2, True), "y": (2, True)}
    assert vars(side)["seen"] == [["x", "y"]]


def test_what_was_run_is_not_run_again_and_stays_said(settings: Settings) -> None:
    side = Seen(name="port")
    batches = heard(settings, side, "0")
    assert batches.run() == batches.run()
    assert len(vars(side)["seen"]) == 1
    batches.hear(side.trace(str(settings.root / "images" / "1.npy")), BUILT_IN, 2)
    assert set(ran(batches)) == {"0", "1"}


def test_a_batch_of_one_a_replay_and_one_that_stopped_are_not_heard(settings: Settings) -> None:
    side, batches = Seen(name="port"), Batches(settings, lambda text: None)
    trace = side.trace(str(settings.root / "images" / "0.npy"))
    batches.hear(trace, BUILT_IN, 1)
    batches.hear(replace(trace, source=None), BUILT_IN, 2)
    assert batches.run() == []


def test_the_trained_model_is_not_run_in_batches(settings: Settings) -> None:
    class Trained(Seen):
        network = object()

    assert heard(settings, Trained(), "0", "1").run() == []


def test_an_image_that_cannot_be_preprocessed_is_in_no_batch(settings: Settings) -> None:
    class Stops(Seen):
        def preprocess(self, image: Image) -> Trace:
            if Path(str(image)).stem == "1":
                raise ValueError("not this one")
            return super().preprocess(image)

    side = Stops(name="port")
    assert ran(heard(settings, side, "0")) == {"0": (2, True)}
    assert vars(side)["seen"] == [["0", "2"]]


def test_not_every_difference_is_diagnosed(settings: Settings) -> None:
    class Wrong(Toy):
        def infer(self, tensor: Any) -> Any:
            return super().infer(tensor) * np.float32(1 if len(tensor) == 1 else 0.8)

    found = [each for each in heard(settings, Wrong(name="port"), *"01234").run() if isinstance(each, Batched)]
    assert [bool(each.cause) for each in found] == [True] * 3 + [False] * 2
    assert not any(each.is_same for each in found)
    none = replace(settings, diagnosis_seconds=0)
    assert not any(each.cause for each in heard(none, Wrong(name="port"), "0", "1").run() if isinstance(each, Batched))


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_what_chance_explains_of_a_difference_is_said_and_what_is_left(settings: Settings, shift: float) -> None:
    class Races(Toy):
        def infer(self, tensor: Any) -> Any:
            noise = 0.05 * (self.runs * 0.618 % 1) + shift
            return super().infer(tensor) + np.float32(noise * (len(tensor) > 1))

    record, *_ = (each for each in heard(settings, Races(name="port"), "0", "1").run() if isinstance(each, Batched))
    assert record.cause.startswith("engine.not_repeatable, port does not return the same twice for the same batch")
    assert ("would hide another fault that changes values by less; fix: look for dropout" in record.cause) is not bool(
        shift
    )
    assert (": chance explains only a part; fix: look for dropout" in record.cause) is bool(shift)
    assert ("; and unknown, its maps alone and in the batch lie further apart" in record.cause) is bool(shift)


def test_a_side_with_trace_alone_cannot_be_asked(settings: Settings) -> None:
    class Traces:
        name = "port"

        def trace(self, image: Image) -> Trace:
            return replace(Toy(name="port").trace(image), source=self)

    (record,) = heard(settings, Traces(), "0").run()
    assert isinstance(record, Batched)
    assert (record.size, record.text) == (0, "port has neither trace_batch nor preprocess, infer and postprocess")


def test_what_breaks_on_the_way_is_a_failure_and_no_error_of_the_test(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = heard(settings, Seen(name="port"), "0")
    monkeypatch.setattr(Batches, "_groups", lambda *args: 1 / 0)
    (record,) = batches.run()
    assert isinstance(record, Batched)
    assert (record.is_same, record.text) == (False, "batches could not be made: ZeroDivisionError: division by zero")


def test_a_batch_that_returns_no_boxes_is_not_the_same(settings: Settings) -> None:
    class MapsOnly(Toy):
        def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
            return [replace(self.trace(image), detections=None) for image in images]

    (record,) = heard(settings, MapsOnly(name="port"), "0").run()
    assert isinstance(record, Batched)
    assert not record.is_same
    assert record.text == "the batch returns no boxes, which the image alone has: they were not compared"


def test_an_image_that_stops_alone_is_not_said_to_stop_its_batch(settings: Settings) -> None:
    class Wears(Seen):
        """Runs each page once: by itself it then stops, and what others do is not its fault."""

        def trace(self, image: Image) -> Trace:
            if Path(str(image)).stem == "1" and vars(self).get("is_used"):
                raise RuntimeError("the licence has ended")
            return super().trace(image)

    side = Wears(name="port")
    batches = heard(settings, side, *"0123")
    side.is_used = True  # type: ignore[attr-defined]
    found = {Path(each.image).stem: each for each in batches.run() if isinstance(each, Batched)}
    assert all(each.is_same for each in found.values())
    assert (found["1"].size, found["1"].text) == (0, "port stops on it alone, where it ran before")
    assert [found[name].size for name in "023"] == [0, 2, 2]
    assert found["0"].text == "no other image of its batch runs alone"


class TestVerdict:
    @pytest.mark.parametrize(("sizes", "is_said"), [([2, 2], True), ([8, 2], False), ([8], False), ([1, 1], False)])
    def test_batches_that_are_smaller_than_asked_are_said(
        self, settings: Settings, sizes: list[int], is_said: bool
    ) -> None:
        records = [Batched(side="port", image=f"{index}.npy", asked=8, size=size) for index, size in enumerate(sizes)]
        _, notes = batch_check_result(settings, tally(comparison(), *records), is_whole=True)
        text = (
            "WARNING: port was asked for batches of 8, and the largest that ran had 2 images: no batch of 8 was "
            "compared; add pages whose tensors have one size, or ask for batches of 2"
        )
        assert notes == [text] * is_said

    def test_nothing_is_said_where_no_batch_was_asked_for_or_nothing_compared(self, settings: Settings) -> None:
        assert batch_check_result(replace(settings, batch=1), tally(comparison()), is_whole=True) == ([], [])
        assert batch_check_result(settings, tally(), is_whole=True) == ([], [])

    def test_a_whole_run_in_which_no_side_could_is_a_fault_and_a_part_of_one_is_not(self, settings: Settings) -> None:
        (fault,), notes = batch_check_result(settings, tally(comparison()), is_whole=True)
        assert fault.text.startswith("batches were asked for, and none ran: no candidate") and not notes
        faults, (note,) = batch_check_result(settings, tally(comparison()), is_whole=False)
        assert "the run stopped before its last test had ended" in note and not faults

    def test_a_partial_run_may_have_lost_the_others_of_a_batch_and_still_names_what_differs(
        self, settings: Settings
    ) -> None:
        alone = Batched(side="port", image="a", asked=2, size=1)
        wrong = Batched(side="port", image="b", asked=2, size=2, is_same=False, text="differs")
        (fault,), _ = batch_check_result(settings, tally(comparison(), alone), is_whole=True)
        assert "none ran" in fault.text
        assert batch_check_result(settings, tally(comparison(), alone), is_whole=False, is_partial=True) == ([], [])
        (fault,), _ = batch_check_result(settings, tally(comparison(), alone, wrong), is_whole=False, is_partial=True)
        assert "b: differs" in fault.text
