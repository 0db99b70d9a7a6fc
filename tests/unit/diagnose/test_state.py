"""A result that depends on what ran before, and what looks like it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import Varied, on
from PIL import Image as Picture
from toy import PAGE, Toy, page

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import examine
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.state import _sequences, _sizes_beside, examine_state
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN, Tolerance
from pytest_ocrparity.trace import Image

Array = npt.NDArray[np.float32]
SMALL = page(48, 64, ((8, 8, 40, 20), (10, 28, 50, 40)))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A small page, a large one, and one between them."""
    pages = {"small": SMALL, "large": page(96, 160, ((8, 8, 60, 30), (20, 50, 140, 80))), "middle": PAGE}
    for name, pixels in pages.items():
        np.save(tmp_path / f"{name}.npy", pixels)
    return {name: str(tmp_path / f"{name}.npy") for name in pages}


def trace(side: Any, name: str) -> Trace:
    made: Trace = side.trace(name)
    return replace(made, image_sha256=hashlib.sha256(Path(name).read_bytes()).hexdigest())


def laboratory(
    candidate: Trace, name: str, earlier: Sequence[str] = (), train: Any = None, limits: Tolerance = BUILT_IN
) -> Laboratory:
    comparisons = Comparisons(trace(train or Toy(), name), candidate, limits)
    assert not all(each.is_match for each in comparisons.all())
    return Laboratory(comparisons, 60.0, earlier=earlier)


def found(side: Any, order: Sequence[str], *, known: bool = True) -> list[Diagnosis]:
    """Run pages through a side in this order; return what is found of the last one."""
    traces = [trace(side, name) for name in order]
    return examine(laboratory(traces[-1], order[-1], order[:-1] if known else ()))


def with_edge(made: Array) -> Array:
    """Return a map whose last rows are wrong, as of a picture that lies in a larger buffer."""
    made = made.copy()
    made[..., -12:, :] *= np.float32(0.5)
    return made


class Buffered(Toy):
    """Its network runs in a buffer that only grows, and whose edges change the map."""

    size = (0, 0)

    def infer(self, tensor: Array) -> Array:
        height, width = tensor.shape[2:]
        self.size = max(self.size[0], height), max(self.size[1], width)
        made = super().infer(tensor)
        return made if self.size == (height, width) else with_edge(made)


class Grows(Buffered):
    """The same, and it can be loaded again."""

    def fresh(self) -> Toy:
        return type(self)(name=self.name)


class Fades(Grows):
    """What it does to the map depends on how large its buffer is."""

    def infer(self, tensor: Array) -> Array:
        height, width = tensor.shape[2:]
        self.size = max(self.size[0], height), max(self.size[1], width)
        made = Toy.infer(self, tensor).copy()
        made[..., -12:, :] *= np.float32(height / self.size[0])
        return made


class Repeats(Toy):
    """What a page of another size left in a buffer spoils one map, and is gone when that page runs again."""

    last: tuple[int, ...] = ()

    def infer(self, tensor: Array) -> Array:
        before, self.last = self.last, tensor.shape
        made = super().infer(tensor)
        return made if before in ((), tensor.shape) else with_edge(made)


class TestNewlyLoaded:
    def test_a_buffer_that_grows_is_named_by_the_page_that_grew_it(self, files: dict[str, str]) -> None:
        (diagnosis,) = found(Grows(name="port"), [files["large"], files["small"]])
        assert (diagnosis.cause, diagnosis.stage) == ("engine.state", "probability_map")
        assert diagnosis.summary == "what port returns for an image depends on what ran before"
        (proof,) = diagnosis.evidence
        assert proof.startswith("newly loaded, port returns train's result for this image, and after ")
        assert "large.npy what it returned in this run: 2 times of 2" in proof
        assert diagnosis.fix is not None and "a buffer that only grows" in diagnosis.fix.text

    def test_a_buffer_whose_edges_are_no_numbers_is_named_as_well(self, files: dict[str, str]) -> None:
        class Unset(Grows):
            def infer(self, tensor: Array) -> Array:
                made, right = super().infer(tensor), Toy.infer(self, tensor)
                return np.where(made == right, made, np.float32(np.nan))

        assert [each.cause for each in found(Unset(name="port"), [files["large"], files["small"]])] == ["engine.state"]

    def test_it_is_the_largest_page_before_and_not_the_last(self, files: dict[str, str]) -> None:
        (diagnosis,) = found(Grows(name="port"), [files["large"], files["small"], files["small"]])
        assert diagnosis.cause == "engine.state"
        np.save(files["small"].replace("small", "other"), SMALL)
        order = [files["large"], files["small"].replace("small", "other"), files["small"]]
        (diagnosis,) = found(Grows(name="port"), order)
        assert "after " in diagnosis.evidence[0] and "large.npy what" in diagnosis.evidence[0]

    def test_where_it_is_not_known_what_ran_a_larger_page_may_give_the_same_result(self, files: dict[str, str]) -> None:
        (diagnosis,) = found(Grows(name="port"), [files["large"], files["small"]], known=False)
        assert diagnosis.cause == "engine.state"
        assert "after a larger page what it returned in this run: 2 times of 2" in diagnosis.evidence[0]

    def test_where_a_larger_page_gives_another_wrong_result_that_of_this_run_is_not_explained(
        self, files: dict[str, str]
    ) -> None:
        """What the buffer does depends on how large it is, and the page that grew it is not known."""
        np.save(files["large"], page(130, 160, ((8, 8, 60, 30), (20, 50, 140, 80))))
        (diagnosis,) = found(Fades(name="port"), [files["large"], files["small"]], known=False)
        assert (diagnosis.cause, diagnosis.fix) == ("unknown", None)
        text = "engine.state: newly loaded and after a larger page, port returns a wrong result, but not the one of"
        assert any(each.startswith(text) for each in diagnosis.tried)
        (diagnosis,) = found(Fades(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "engine.state"

    def test_where_it_is_not_known_what_ran_files_beside_it_are_tried(
        self, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def size(data: bytes) -> tuple[int, int]:
            height, width, _ = np.load(io.BytesIO(data)).shape
            return height, width

        np.save(files["large"], page(130, 160, ((8, 8, 60, 30), (20, 50, 140, 80))))
        monkeypatch.setattr("pytest_ocrparity.diagnose.state.image_file_size", size)
        (diagnosis,) = found(Fades(name="port"), [files["large"], files["small"]], known=False)
        assert diagnosis.cause == "engine.state"
        assert "large.npy what it returned in this run: 2 times of 2" in diagnosis.evidence[0]
        # It was another page, which is gone: nothing beside it gives this result again.
        side = Fades(name="port")
        side.size = (300, 300)
        candidate = trace(side, files["small"])
        (diagnosis,) = examine(laboratory(candidate, files["small"]))
        assert (diagnosis.cause, diagnosis.fix) == ("unknown", None)

    def test_files_beside_that_can_not_be_read_or_state_no_height_are_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read, opened = [], Path.open

        def size(data: bytes) -> tuple[int, int]:
            read.append(len(data))
            return (0, 5) if data.startswith(b"flat") else (4, 5)

        def refused(path: Path, mode: str) -> Any:
            if path.name == "b.png":
                raise PermissionError(path)
            return opened(path, mode)

        for name, data in {"a.png": b"", "b.png": b"", "c.png": b"flat", "d.png": bytes(1 << 20)}.items():
            (tmp_path / name).write_bytes(data)
        (tmp_path / "folder").mkdir()
        monkeypatch.setattr("pytest_ocrparity.diagnose.state.image_file_size", size)
        monkeypatch.setattr(Path, "open", refused)
        assert _sizes_beside(tmp_path / "a.png") == {tmp_path / "d.png": (4, 5)}
        assert max(read) == 1 << 16
        assert _sizes_beside(tmp_path / "gone" / "a.png") == {}

    def test_of_the_files_that_ran_before_no_more_than_the_header_is_read(
        self, tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They may be thousands; the largest is the one that states most pixels, else the longest."""
        names = {name: tmp_path / name for name in ("gone.png", "wide.png", "long.dat", "last.png")}
        Picture.new("RGB", (300, 200)).save(names["wide.png"])
        names["last.png"].write_bytes(names["wide.png"].read_bytes()[:20])
        names["long.dat"].write_bytes(bytes(50_000))
        names["gone.png"].write_bytes(b"")
        lab = laboratory(trace(Grows(name="port", offset=1.0), files["small"]), files["small"])
        lab.earlier = [str(path) for path in names.values()]
        opened = Path.open

        def refused(path: Path, *given: Any) -> Any:
            if path.name == "gone.png":
                raise PermissionError(path)
            return opened(path, *given)

        monkeypatch.setattr(Path, "open", refused)
        monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"read all of {path}"))
        last, largest, first, several = _sequences(lab)
        assert ([last, largest, first], several) == (
            [[str(names[name])] for name in ("last.png", "wide.png", "gone.png")],
            [str(names[name]) for name in ("wide.png", "long.dat", "last.png")],
        )

    def test_an_engine_that_is_wrong_and_keeps_nothing_is_unknown(self, files: dict[str, str]) -> None:
        class Wrong(Toy):
            def infer(self, tensor: Array) -> Array:
                return np.asarray(with_edge(super().infer(tensor)))

            def fresh(self) -> Toy:
                return type(self)(name=self.name)

        (diagnosis,) = found(Wrong(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "unknown"
        text = "engine.state: newly loaded, with nothing run before, port returns the same"
        assert text in diagnosis.tried

    def test_one_whose_files_changed_since_is_not_said_to_keep_anything(self, files: dict[str, str]) -> None:
        class Reloaded(Toy):
            def infer(self, tensor: Array) -> Array:
                return np.asarray(with_edge(super().infer(tensor)))

            def fresh(self) -> Toy:
                return Toy(name=self.name)

        (diagnosis,) = found(Reloaded(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "unknown"
        assert any("were its files changed since they were loaded?" in text for text in diagnosis.not_tried)

    def test_one_that_is_wrong_and_grows_besides_is_unknown(self, files: dict[str, str]) -> None:
        class Both(Grows):
            def infer(self, tensor: Array) -> Array:
                return np.asarray(with_edge(super().infer(tensor)))

        (diagnosis,) = found(Both(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "unknown"
        assert not any(text.startswith("engine.state") for text in diagnosis.ruled_out)

    def test_without_a_way_to_load_it_anew_it_is_not_tried(self, files: dict[str, str]) -> None:
        (diagnosis,) = found(Buffered(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "unknown"
        assert any("port has no fresh(), so it can't be run as if nothing" in text for text in diagnosis.not_tried)
        (diagnosis,) = found(Buffered(name="port"), [files["large"], files["small"]], known=False)
        assert not any("fresh" in text for text in diagnosis.not_tried)

    def test_what_stops_when_it_is_loaded_is_not_tried(self, files: dict[str, str]) -> None:
        class Stops(Grows):
            def fresh(self) -> Toy:
                raise RuntimeError("the licence is in use")

        (diagnosis,) = found(Stops(name="port"), [files["large"], files["small"]])
        assert any(
            text.startswith("engine.state: port anew: RuntimeError: the licence") for text in diagnosis.not_tried
        )


class TestByTurns:
    def test_what_the_page_before_leaves_is_shown_by_turns(self, files: dict[str, str]) -> None:
        (diagnosis,) = found(Repeats(name="port"), [files["large"], files["small"]])
        assert diagnosis.cause == "engine.state"
        assert diagnosis.evidence[0].startswith("after itself, port returns train's result for this image, and after ")
        assert diagnosis.evidence[0].endswith("what it returned in this run: each time again, by turns")

    @pytest.mark.parametrize("seed", range(12))
    def test_an_engine_that_is_wrong_by_chance_is_not(self, files: dict[str, str], seed: int) -> None:
        class Chance(Toy):
            drawn = np.random.default_rng(seed)

            def infer(self, tensor: Array) -> Array:
                return np.asarray(super().infer(tensor) - np.float32(self.drawn.uniform(0.01, 0.1)))

        causes = {each.cause for each in found(Chance(name="port"), [files["large"], files["small"]])}
        assert causes, "nothing was found, of which nothing would be wrong"
        assert causes <= {"engine.not_repeatable", "unknown"}

    def test_another_page_that_changes_nothing_is_not_blamed(self, files: dict[str, str]) -> None:
        class Once(Toy):
            """Its very first run is wrong, as of a cold cache."""

            is_warm = False

            def infer(self, tensor: Array) -> Array:
                is_warm, self.is_warm = self.is_warm, True
                return super().infer(tensor) if is_warm else with_edge(super().infer(tensor))

        side = Once(name="port")
        first = trace(side, files["small"])
        (diagnosis,) = examine(laboratory(first, files["small"], [files["large"]]))
        assert diagnosis.cause == "unknown"


@dataclass
class Scored:
    """Returns a text and its score alone, a low one where `is_low(its run, the image before, this one)` says so."""

    name: str
    is_low: Callable[[int, str, str], bool] = lambda run, before, now: False
    low: float = 0.5
    runs: int = 0
    last: str = ""

    def trace(self, image: Image) -> Trace:
        self.runs += 1
        before, self.last = self.last, str(image)
        score = self.low if self.is_low(self.runs, before, self.last) else 0.9
        return Trace(pipeline=self.name, image=self.last, recognition=Recognition("abba", score), source=self)


@pytest.mark.parametrize(
    ("is_low", "cause"),
    [
        (lambda run, before, now: run == 2, "unknown"),
        (lambda run, before, now: before not in ("", now), "engine.state"),
    ],
    ids=["once", "after others"],
)
def test_a_score_is_part_of_what_must_come_again(files: dict[str, str], is_low: Any, cause: str) -> None:
    """The text is the reference's each time, so that without its score all of them would be the one that was judged."""
    side = Scored("port", is_low)
    judged = [trace(side, files[name]) for name in ("large", "small")][-1]
    (diagnosis,) = examine(laboratory(judged, files["small"], [files["large"]], train=Scored("train")))
    assert diagnosis.cause == cause


@pytest.mark.parametrize(
    ("is_low", "cause"),
    [
        (lambda run, before, now: run == 2, "unknown"),
        (lambda run, before, now: before not in ("", now), "engine.state"),
    ],
    ids=["once", "after others"],
)
def test_under_a_limit_below_what_is_near_a_right_result_is_not_the_wrong_one(
    files: dict[str, str], is_low: Any, cause: str
) -> None:
    side = Scored("port", is_low, low=0.9 - 5e-6)
    judged = [trace(side, files[name]) for name in ("large", "small")][-1]
    limits = BUILT_IN.override({"text": {"max_score_difference": 1e-6}}, "here")
    (diagnosis,) = examine(laboratory(judged, files["small"], [files["large"]], Scored("train"), limits))
    assert diagnosis.cause == cause


def test_a_cause_that_explains_all_costs_no_further_run(files: dict[str, str]) -> None:
    class Counts(Varied):
        def trace(self, image: Image) -> Trace:
            self.runs += 100
            return super().trace(image)

    side = Counts(name="port", mean=0.4)
    lab = laboratory(trace(side, files["small"]), files["small"], [files["large"]])
    assert [each.cause for each in examine(lab)] == ["normalize.mean_std"]
    assert side.runs < 200, "traced again"


def test_a_budget_that_is_spent_on_the_way_is_said(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    side = Grows(name="port")
    trace(side, files["large"])
    lab = laboratory(trace(side, files["small"]), files["small"], [files["large"]])
    monkeypatch.setattr("pytest_ocrparity.diagnose.state.MORE_RUNS", -17)
    (diagnosis,) = examine_state(lab, [lab.unknown_cause("probability_map")], "probability_map")
    assert diagnosis.cause == "unknown"
    assert any(text.startswith("engine.state: used 3 of 3 network runs") for text in diagnosis.not_tried)


def test_where_it_was_spent_before_nothing_is_tried(files: dict[str, str]) -> None:
    side = Grows(name="port")
    trace(side, files["large"])
    lab = laboratory(trace(side, files["small"]), files["small"], [files["large"]])
    lab.budget.runs = 20
    found = [lab.unknown_cause("probability_map")]
    assert examine_state(lab, found, "probability_map") == found


def test_it_is_proved_again_on_another_page(files: dict[str, str], tmp_path: Path) -> None:
    side, other = Grows(name="port"), str(tmp_path / "other.npy")
    np.save(other, page(48, 72, ((8, 30, 50, 44),)))
    ran: list[str] = []
    cache, train = DiagnosisCache(60.0, ran_before=lambda candidate: ran), Toy()
    causes = []
    for name in (files["large"], files["small"], other):
        comparisons = Comparisons(trace(train, name), trace(side, name), BUILT_IN)
        causes.append([each.cause for each in cache.diagnose(comparisons)] if ran else [])
        ran.append(name)
    assert causes == [[], ["engine.state"], ["engine.state"]]
    assert sum(len(known) for known in cache.known.values()) == 1, "the second was confirmed, and not looked for"


def test_a_trace_without_its_image_is_left_alone() -> None:
    candidate = replace(on(Grows(name="port")), decode=None, image="gone.png", image_sha256=None)
    wrong = replace(candidate, probability_map=candidate.probability_map * np.float32(0.9))  # type: ignore[operator]
    comparisons = Comparisons(replace(on(Toy()), image="gone.png", image_sha256=None, decode=None), wrong, BUILT_IN)
    assert "engine.state" not in [each.cause for each in examine(Laboratory(comparisons, 60.0))]


ALL: tuple[Callable[..., Any], ...] = (Grows, Repeats)


@pytest.mark.parametrize("make", ALL)
def test_a_page_on_which_nothing_shows_fails_nowhere(files: dict[str, str], make: Callable[..., Any]) -> None:
    made = Comparisons(trace(Toy(), files["small"]), trace(make(name="port"), files["small"]), BUILT_IN)
    assert all(each.is_match for each in made.all())
