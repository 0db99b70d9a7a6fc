"""What must change no verdict of a run: swapped sides, another order, other names, an enlarged page, one more page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from projects import run
from toy import PAGE, page

EDGE = page(boxes=((8, 8, 40, 20), (50, 30, 80, 44)))
PAGES = {"one": page(boxes=((20, 20, 70, 40),)), "three": PAGE, "edge": EDGE}
CANDIDATES: dict[str, dict[str, Any]] = {
    "right": {},
    "within the limits": {"offset": -5e-5},
    "mean": {"mean": 0.51},
    "box_thresh": {"box_thresh": 0.9985},
}
MIRRORED = {"missing": "extra", "extra": "missing", "split": "merged", "merged": "split"}
Outcome = dict[str, dict[str, Any]]


class Suite:
    """A project of the toy, whose runs are read from results.json."""

    def __init__(self, project: pytest.Pytester, fields: Mapping[str, Any]) -> None:
        self.project, self.folder = project, project.path / "images"
        self.conftest = project.path / "conftest.py"
        self.original = self.conftest.read_text()
        self.sides(fields)
        settings = "\ndiagnosis_seconds = 0\n"
        file = project.path / "pyproject.toml"
        file.write_text(f"{file.read_text()}{settings}")
        self.write(PAGES)

    def sides(self, candidate: Mapping[str, Any], reference: Mapping[str, Any] | None = None) -> None:
        def words(given: Mapping[str, Any]) -> str:
            return ", ".join(f"{name}={value!r}" for name, value in given.items())

        text = self.original.replace("Toy()", f"Toy({words(reference or {})})")
        self.conftest.write_text(text.replace('name="inference"', f'name="inference", {words(candidate)}'))

    def write(self, pages: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        for old in self.folder.iterdir():
            old.unlink()
        for name, pixels in pages.items():
            np.save(self.folder / f"{name}.npy", pixels)

    def run(self, *args: str) -> tuple[str, Outcome]:
        """Return the verdict, and by image and kind what was compared, without its place and names."""
        run(self.project, "--ocr-report=report", "-k", "training", *args)
        results = json.loads((self.project.path / "report" / "results.json").read_text())
        found: Outcome = {}
        for each in results["comparisons"]:
            facts = {
                "status": each["status"],
                "measures": {measure["name"]: (measure["value"], measure["limit"]) for measure in each["measures"]},
                "counts": each["counts"],
                "boxes": sorted(box["kind"] for box in each["boxes"]),
            }
            found.setdefault(each["image"].removeprefix("images/").removesuffix(".npy"), {})[each["kind"]] = facts
        return results["run"]["verdict"], found


def statuses(found: Outcome) -> dict[str, dict[str, str]]:
    return {name: {kind: facts["status"] for kind, facts in kinds.items()} for name, kinds in found.items()}


@pytest.mark.parametrize("name", CANDIDATES)
def test_what_changes_no_verdict(project: pytest.Pytester, name: str) -> None:
    fields = CANDIDATES[name]
    suite = Suite(project, fields)
    verdict, found = suite.run()
    assert set(found) == set(PAGES)
    assert verdict == ("passed" if name in ("right", "within the limits") else "failed")

    given = [word for each in ("three", "one", "edge") for word in ("--ocr-images", f"images/{each}.npy")]
    assert suite.run(*given) == (verdict, found)  # the images in another order

    names = dict(zip(PAGES, ("z", "a", "m"), strict=True))
    suite.write({names[each]: pixels for each, pixels in PAGES.items()})
    assert suite.run() == (verdict, {names[each]: facts for each, facts in found.items()})

    suite.write({**PAGES, "more": page(boxes=((30, 10, 60, 50),))})
    wider, others = suite.run()
    assert wider == verdict
    assert {each: facts for each, facts in others.items() if each != "more"} == found

    suite.write({each: pixels.repeat(2, 0).repeat(2, 1) for each, pixels in PAGES.items()})
    enlarged, larger = suite.run()
    assert (enlarged, statuses(larger)) == (verdict, statuses(found))

    suite.write(PAGES)
    suite.sides({}, fields)  # each side in the place of the other
    swapped, mirrored = suite.run()
    assert (swapped, statuses(mirrored)) == (verdict, statuses(found))
    for image, kinds in found.items():
        boxes = sorted(MIRRORED.get(kind, kind) for kind in kinds["detections"]["boxes"])
        assert mirrored[image]["detections"]["boxes"] == boxes


def test_what_does_change_it(project: pytest.Pytester) -> None:
    """The twin: a page that shows the fault, and one that does not."""
    suite = Suite(project, CANDIDATES["box_thresh"])
    assert suite.run()[0] == "failed"
    suite.write({"one": PAGES["one"]})
    assert suite.run()[0] == "passed"
