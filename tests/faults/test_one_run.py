"""What was found of one page, candidate or test is not said of another one, unless it is true there as well.

Each run is a project of its own, as a run shares what it found; the messages are those that its tests raise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from toy import page

from faults.deployment import Deployment, write_settings
from faults.rows import ALL, false_ruled_out
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis

TESTS = Path(__file__).parents[1]
START = f"""
import sys
import numpy as np
import pytest

sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
from toy import Toy
from pytest_ocrparity import Detections, Trace
"""
TOYS = """
@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()


def boxes(image):
    return list(Toy().trace(image).detections.polygons)


def width(image):
    return np.load(image).shape[1]


class Engine:
    '''The README's smallest one: boxes, and no source.'''

    def __init__(self, change):
        self.change = change

    def trace(self, image):
        changed = [self.change(box, image) for box in boxes(image)]
        return Trace(pipeline="my engine", image=str(image), detections=Detections(tuple(changed)))


class Plain(Engine):
    def trace(self, image):
        return [self.change(box, image) for box in boxes(image)]


class Misplaced(Toy):
    '''A port with a source, whose post-process is wrong.'''

    change = None

    def postprocess(self, probability_map, shape):
        made = super().postprocess(probability_map, shape)
        return Detections(tuple(type(self).change(box) for box in made.polygons), made.scores)


class Moved(Misplaced):
    change = staticmethod(lambda box: box + 24)


class Turned(Misplaced):
    change = staticmethod(lambda box: box[:, ::-1])


class Uneven(Misplaced):
    change = staticmethod(lambda box: box + (24 if box[0, 1] // 36 % 2 else -24))
"""
TEST = """
import json
from pathlib import Path
from pytest_ocrparity import DifferenceError, Trace
from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps


def compared(train, candidate, name):
    try:
        if isinstance(candidate, Trace) and candidate.tensor is not None:
            assert_same_preprocessing(train, candidate)
            assert_same_probability_maps(train, candidate)
        assert_same_detections(train, candidate)
    except DifferenceError as error:
        found = [diagnosis.as_json() for diagnosis in error.diagnoses]
        (Path("said") / f"{name.replace('/', ' ')}.json").write_text(json.dumps([str(error), found]))
        raise
"""
EACH = """

def test_pages(ocr_train_model, ocr_inference_model, ocr_image, request):
    compared(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image), request.node.name)
"""
LOOP = """

def test_all_pages(ocr_train_model, ocr_inference_model):
    failed = []
    for path in sorted(Path("images").iterdir()):
        try:
            compared(ocr_train_model.trace(path), ocr_inference_model.trace(path), path.name)
        except DifferenceError as error:
            failed.append(str(error))
    assert not failed
"""


class Said:
    """What a failed comparison of the run said."""

    def __init__(self, path: Path) -> None:
        self.text, found = json.loads(path.read_text())
        self.causes = {each["cause"] for each in found} - {UNKNOWN}
        self.diagnoses = [Diagnosis(**{**each, "fix": None}) for each in found]

    def is_false(self, *truths: str) -> list[str]:
        """Return what is wrong where these causes are the truth; none is, where it is empty."""
        said = sorted(self.causes - {*truths})
        return said + false_ruled_out(self.diagnoses, [truth for truth in truths if truth])


def run(pytester: pytest.Pytester, conftest: str, test: str, *options: str) -> dict[str, Said]:
    """Run the project; return what was said, by test or page."""
    pytester.makeconftest(START + conftest)
    pytester.makepyfile(test_it=TEST + test)
    folder = pytester.mkdir("said")
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", *options)
    assert result.ret == 1, result.stdout.str()
    return {path.stem: Said(path) for path in sorted(folder.iterdir())}


def words(columns: int, rows: int) -> tuple[tuple[int, int, int, int], ...]:
    return tuple((16 + 80 * x, 16 + 36 * y, 66 + 80 * x, 30 + 36 * y) for x in range(columns) for y in range(rows))


@pytest.fixture
def two_pages(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two pages of different widths, with ten words and more."""
    pytester.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/*.npy"]\n')
    folder = pytester.mkdir("images")
    np.save(folder / "a.npy", page(384, 640, words(4, 3)))
    np.save(folder / "b.npy", page(320, 512, words(3, 4)))
    return pytester


def model(made: str, *params: str) -> str:
    asked = f", params={list(params)!r}" if params else ""
    return TOYS + f'\n\n@pytest.fixture(scope="session"{asked})\ndef ocr_inference_model(request):\n    return {made}\n'


BY_WIDTH = "lambda box, image: box + width(image) // 16"


@pytest.mark.parametrize("test", [EACH, LOOP], ids=["test by test", "in one test"])
@pytest.mark.parametrize("engine", ["Plain", "Engine"])
def test_an_offset_is_that_of_its_page(two_pages: pytest.Pytester, engine: str, test: str) -> None:
    """A1: 40 px on one page, 32 on the other."""
    said = run(two_pages, model(f"{engine}({BY_WIDTH})"), test)
    assert len(said) == 2
    for (name, each), own, other in zip(said.items(), ("40", "32"), ("32", "40"), strict=True):
        assert each.is_false("rescale.offset") == []
        if each.causes:
            claim = each.text.partition("\n  seen")[0]
            assert re.search(rf"\b{own}(\.0)?\b", claim)
            assert not re.search(rf"\b{other}(\.0)?\b", claim)
        # It begins with what it is about: the page, or the test where no page is known.
        subject = "a.npy" if "a.npy" in name else "b.npy"
        assert re.search(rf"{subject}|test_all_pages", each.text.partition("\n")[0])


FAULTS = {
    "turned": ("lambda box, image: box[:, ::-1]", "rescale.axes"),
    "moved": ("lambda box, image: box + 24", "rescale.offset"),
}
UNEVEN = "lambda box, image: box + (24 if box[0, 1] // 36 % 2 else -24)"


@pytest.mark.parametrize("order", [("turned", "moved"), ("moved", "turned")])
def test_two_engines_without_source_are_two(two_pages: pytest.Pytester, order: tuple[str, str]) -> None:
    """A2: both call themselves "my engine"; one returns (y, x), the other moves its boxes."""
    changes = ", ".join(f"{name!r}: {change}" for name, (change, _) in FAULTS.items())
    said = run(two_pages, model(f"Engine({{{changes}}}[request.param])", *order), EACH)
    assert len(said) == 4
    for name, each in said.items():
        (truth,) = (truth for fault, (_, truth) in FAULTS.items() if fault in name)
        assert each.is_false(truth) == [], name


@pytest.mark.parametrize("order", [("Moved", "Uneven"), ("Uneven", "Moved"), ("Turned", "Moved"), ("Moved", "Turned")])
def test_two_candidates_of_one_name_are_two(two_pages: pytest.Pytester, order: tuple[str, str]) -> None:
    truths = {"Moved": "rescale.offset", "Turned": "rescale.axes", "Uneven": ""}
    said = run(two_pages, model('globals()[request.param](name="inference")', *order), EACH)
    assert len(said) == 4
    for name, each in said.items():
        (truth,) = (truth for fault, truth in truths.items() if fault in name)
        assert each.is_false(truth) == [], name


def test_a_page_with_another_fault_is_not_told_the_first_ones(two_pages: pytest.Pytester) -> None:
    by_page = "lambda box, image: box + 24 if 'a.npy' in str(image) else box[:, ::-1]"
    said = run(two_pages, model(f"Engine({by_page})"), EACH)
    assert [
        each.is_false(truth) for each, truth in zip(said.values(), ("rescale.offset", "rescale.axes"), strict=True)
    ] == [
        [],
        [],
    ]


def test_a_page_with_no_known_fault_is_told_none(two_pages: pytest.Pytester) -> None:
    by_page = f"lambda box, image: box + 24 if 'a.npy' in str(image) else ({UNEVEN})(box, image)"
    first, second = run(two_pages, model(f"Engine({by_page})"), EACH).values()
    assert first.is_false("rescale.offset") == []
    assert second.causes == set()


def test_two_tensors_of_one_name_are_two(two_pages: pytest.Pytester) -> None:
    toys = '{"mean": Toy(name="inference", mean=0.4), "swapped": Toy(name="inference", img_mode="RGB")}[request.param]'
    said = run(two_pages, model(toys, "mean", "swapped"), EACH)
    assert len(said) == 4
    for name, each in said.items():
        assert each.is_false("normalize.mean_std" if "mean" in name else "decode.channel_order") == [], name


# The same on the example, with ports whose fault is another one on each page.

REAL = """
@pytest.fixture(scope="session")
def ocr_inference_model():
    from faults import box_hooks, page_hooks
    from faults.foreign import Foreign
    return Foreign({hooks})
"""


@pytest.fixture
def example(pytester: pytest.Pytester) -> Callable[..., dict[str, Said]]:
    def make(hooks: str, *images: str) -> dict[str, Said]:
        deployment = Deployment.copy(pytester.path)
        for path in (deployment.folder / "images").iterdir():
            if path.name not in images:
                path.unlink()
        write_settings(deployment)
        return run(pytester, REAL.format(hooks=hooks), EACH)

    return make


needs_all: pytest.MarkDecorator = pytest.mark.skipif(
    not ALL or find_spec("onnxruntime") is None, reason="OCRPARITY_ALL_FAULTS=1 runs it, with ONNX Runtime"
)


@needs_all
def test_what_the_second_page_refutes_is_not_said_again(example: Callable[..., dict[str, Said]]) -> None:
    """The last box is forgotten: one outline less than each page has, which no `max_candidates` is."""
    rule = "box_hooks.keeping(lambda i, box, score, boxes: i < len(boxes) - 1)"
    said = example(f"finish={rule}", "colours.png", "curved.png", "receipt.png")
    assert len(said) == 3
    assert sum(bool(each.causes) for each in said.values()) <= 1


@needs_all
def test_a_border_left_in_is_that_of_its_page(example: Callable[..., dict[str, Said]]) -> None:
    """The middle of a letterbox: 40 px above the page in one, 64 in the other."""
    box = "page_hooks.Letterbox((960, 960), 114, 0.5, is_taken_off=False)"
    said = example(f"**{box}.hooks()", "colours.png", "odd_size.png")
    assert len(said) == 2
    for each, other in zip(said.values(), (r"\b6[34](\.\d)?\b", r"\b(40|39)(\.\d)?\b"), strict=True):
        assert each.is_false("rescale.offset", "resize.padding") == []
        if each.causes:
            assert not re.search(other, each.text.partition("\n  seen")[0])
