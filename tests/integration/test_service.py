"""A deployment behind HTTP, asked by the fixture of the documentation; tests/real has it with paddleocr behind it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from projects import CONFTEST, PATIENCE, run
from service import FIXTURE, TEST, serving
from toy import Toy

Answer = Callable[[bytes], tuple[int, str, Any]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def detector(**fields: Any) -> Answer:
    def answer(body: bytes) -> tuple[int, str, Any]:
        found = Toy(**fields).trace(np.load(io.BytesIO(body))).detections
        assert found is not None and found.scores is not None
        polygons = [polygon.tolist() for polygon in found.polygons]
        return 200, "application/json", {"dt_polys": polygons, "dt_scores": found.scores.tolist()}

    return answer


def ask(project: pytest.Pytester, answer: Answer, seconds: float = PATIENCE) -> tuple[pytest.RunResult, list[bytes]]:
    with serving(answer) as served:
        project.makeconftest(CONFTEST.partition("@pytest.fixture(scope")[0] + TRAIN + served.fixture(seconds))
        project.makepyfile(test_export=TEST)
        return run(project), served.bodies


TRAIN = """
@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()
"""


def test_the_documentation_shows_it() -> None:
    assert FIXTURE.strip() in (ROOT / "docs" / "howto" / "service.md").read_text()


def test_the_fixture_is_short() -> None:
    assert len([line for line in FIXTURE.splitlines() if line.strip()]) <= 15


def test_the_service_gets_the_bytes_as_they_are_and_passes(project: pytest.Pytester) -> None:
    result, bodies = ask(project, detector())
    result.assert_outcomes(passed=2)
    images = [path.read_bytes() for path in sorted((project.path / "images").iterdir())]
    assert sorted(bodies) == sorted(images)


@pytest.mark.parametrize("fields", [{"thresh": 0.999}, {"box_thresh": 0.9995}, {"pad": 3}], ids=str)
def test_another_threshold_behind_it_fails(project: pytest.Pytester, fields: dict[str, Any]) -> None:
    result, _ = ask(project, detector(**fields))
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) >= 1
    assert "which can't be run by itself" in result.stdout.str()


GIVEN_UP = threading.Event()


def slow(body: bytes) -> tuple[int, str, Any]:
    answered = detector()(body)  # now, while the session waits: numpy parses the header, and CPython no two at once
    GIVEN_UP.wait(PATIENCE)
    return answered


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (slow, "/detect does not answer for *three_words.npy: timed out"),
        (
            lambda _: (500, "text/plain", "no memory"),
            "/detect does not answer for *: HTTP Error 500: Internal Server Erro",
        ),
        (lambda _: (200, "text/html", "<html>log in</html>"), "the results of service for *: it begins '<html>log in"),
        (lambda _: (200, "application/json", ""), "the results of service for *: it is empty"),
        (
            lambda _: (200, "application/json", {"boxes": []}),
            "*holds no dt_polys, the boxes of a detector, and no rec_text, the text of a recogniser; it holds boxes",
        ),
    ],
    ids=["late", "500", "html", "empty", "other keys"],
)
def test_what_is_no_answer_is_a_clear_failure_and_is_not_asked_again(
    project: pytest.Pytester, answer: Answer, told: str
) -> None:
    GIVEN_UP.clear()
    result, bodies = ask(project, answer, seconds=1 if answer is slow else PATIENCE)
    GIVEN_UP.set()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(f"*{told}*")
    assert len(bodies) == 2


def test_a_service_that_is_not_there(project: pytest.Pytester) -> None:
    with serving(detector()) as served:
        pass
    project.makeconftest(CONFTEST.partition("@pytest.fixture(scope")[0] + TRAIN + served.fixture())
    project.makepyfile(test_export=TEST)
    result = run(project)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines("*/detect does not answer for *: <urlopen error * Connection refused>*")
