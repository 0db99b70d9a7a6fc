"""What the check of ymls lets through is harmless to PaddleOCR and paddlex as well, which evaluate parts of it."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile.inputs import EVIL, as_yml, edited, values, ymls_of_the_example
from hostile.readers import GUARD, MEMORY, example_yml, export_yml, is_fraction
from hypothesis import strategies as st
from paths import EXAMPLE

from pytest_ocrparity.artifacts import configs
from pytest_ocrparity.artifacts.configs import (
    OPERATORS,
    POST_PROCESSES,
    check_inference_config,
    check_training_config,
    read_config,
)
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.operators import build_ppocr_operators, import_ppocr_operators
from pytest_ocrparity.errors import ModelError
from real.accepted import accepted
from real.blob import operators_root

EVALUATED = OPERATORS | set(POST_PROCESSES)
"""The bare names that PaddleOCR looks up by evaluating them."""

KEYS = (
    *("augmenter_args", "brightness", "epoch", "image_shape", "img_mode", "keep_keys", "keep_ratio", "limit_side_len"),
    *("limit_type", "max_side_limit", "mean", "order", "resize_long", "scale", "size", "std", "total_epoch"),
    *("box_type", "max_candidates", "model_name", "score_mode", "thresh", "unclip_ratio", "use_dilation", "a", EVIL),
)
SCALES = ("1./255.", " 1 ", "2e3", ".5", "1/3", "7.e-3 / 2E+1")
AUGMENTERS = (
    *("Fliplr", "Affine", "Resize", "Compose", "Lambda", "ReplayCompose", "TextImage", "FDA", "load", "save"),
    *("from_dict", "check_for_updates", "read_rgb_image", "suppress", "os", "__builtins__", "__loader__", EVIL),
)
"""Some of what albumentations has: IaaAugment looks any name up in it, and calls that."""


@st.composite
def arguments(draw: Any) -> Any:
    """Draw arguments of an operator, of a post-process, or `Global`."""
    given = draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=2))
    if draw(st.booleans()):
        given["scale"] = draw(st.sampled_from(SCALES))
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(AUGMENTERS))
        given["augmenter_args"] = draw(
            st.sampled_from(
                ([{"type": name}], [[name]], [{"type": name, "args": {"path": "/etc/passwd", "transforms": [EVIL]}}])
            )
        )
    return given


@st.composite
def documents(draw: Any) -> bytes:
    """Draw a yml of which parts were replaced, or whose names are right and whose arguments are not."""
    document = draw(st.sampled_from(ymls_of_the_example()))
    if draw(st.integers(0, 2)) == 0:
        return as_yml(draw(edited(document)), draw(st.booleans()))
    document = copy.deepcopy(document)
    is_train = "Eval" in document
    transforms = document["Eval"]["dataset"]["transforms"] if is_train else document["PreProcess"]["transform_ops"]
    for entry in transforms:
        for name in entry:
            if draw(st.integers(0, 5)) == 0:
                entry[name] = {**(entry[name] or {}), **draw(arguments())}
    if draw(st.booleans()):
        name = draw(st.sampled_from((*sorted(OPERATORS), f"{EVIL} # Label")))
        transforms.insert(draw(st.integers(0, len(transforms))), {name: draw(arguments())})
    document["PostProcess"] |= draw(arguments()) if draw(st.booleans()) else {}
    if is_train and draw(st.booleans()):
        document["Global"] = draw(arguments())
    return as_yml(document)


def check(folder: Path, data: bytes) -> dict[str, Any]:
    """Write the files of a yml; return it where ours lets it through."""
    path = folder / "inference.yml"
    path.write_bytes(data)
    yml = read_config(path)
    (check_training_config if "Eval" in yml else check_inference_config)(yml, path)
    return yml


def build(folder: Path) -> None:
    """Let the real code make of a checked yml what it makes of it before it sees an image."""
    path = folder / "inference.yml"
    yml = read_config(path)
    if "Eval" not in yml:
        load_inference(model_dir=folder)
        return
    check_training_config(yml, path)
    network: Any = None  # nothing of it is built from the yml here
    build_ppocr_operators(yml, network, path)


def is_plain(event: str, about: tuple[Any, ...]) -> bool:
    """Tell whether Python is run on a fraction or on a name of EVALUATED, and on nothing else."""
    if event == "compile":
        text = about[0].decode() if isinstance(about[0], bytes) else about[0]
        return isinstance(text, str) and (text in EVALUATED or is_fraction(text))
    if event == "exec":  # of what was compiled
        return about[0].co_filename == "<string>" and EVALUATED.issuperset(about[0].co_names)
    return False


class Usual:
    """Permits what is plain, and what a right yml makes these libraries do."""

    def __init__(self) -> None:
        self.is_learning = False
        self._known: set[str] = set()

    def __call__(self, event: str, about: tuple[Any, ...]) -> bool:
        if self.is_learning and event != "exec":
            self._known.add(f"{event} {about!r}")
        return is_plain(event, about) or f"{event} {about!r}" in self._known


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], ModelError | None]]:
    """Give a yml to the real code; return how it was refused. Fails where that does more than it may."""
    folder = tmp_path_factory.mktemp("ymls")
    for name in ("inference.json", "inference.pdiparams"):
        shutil.copy(EXAMPLE / "inference" / name, folder)
    usual = Usual()
    engines: list[Any] = []

    def engine(config: Any) -> Any:
        """Load the program once: it is the same for each yml, and takes longer than all the rest."""
        if not engines:
            engines.append(create_predictor(config))
        return engines[0]

    def run(data: bytes) -> ModelError | None:
        (folder / "inference.yml").write_bytes(data)
        with isolated(), GUARD.on(folder, memory=4 * MEMORY, permits=usual):
            try:
                build(folder)
            except ModelError as error:
                return error
        return None

    with isolated():
        from paddle.inference import create_predictor
    with isolated_checkout(operators_root()):
        import_ppocr_operators()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paddle.inference.create_predictor", engine)
        for data in (example_yml(), export_yml()):
            (folder / "inference.yml").write_bytes(data)
            with isolated():
                build(folder)  # imports
            usual.is_learning = True
            assert run(data) is None
            usual.is_learning = False
        yield run


def test_what_is_let_through_is_built_and_does_nothing_else(
    evaluate: Callable[[bytes], ModelError | None], tmp_path: Path
) -> None:
    found = accepted(documents(), lambda data: check(tmp_path, data), 500)
    built = [b'"Eval"' in data for data in found if evaluate(data) is None]
    # Both kinds get past all refusals of the real code, or too little of it has run.
    assert min(built.count(True), built.count(False)) > 25


# The same without our check


HOSTILE = "__import__('os').system('true')"


def train_yml(operator: str, arguments: Any, settings: Any = None) -> bytes:
    document = copy.deepcopy(ymls_of_the_example()[0])
    document["Eval"]["dataset"]["transforms"].insert(1, {operator: arguments})
    return as_yml({**document, "Global": settings})


def inference_yml() -> bytes:
    document = copy.deepcopy(ymls_of_the_example()[1])
    document["PreProcess"]["transform_ops"].insert(1, {"NormalizeImage": {"scale": HOSTILE}})
    return as_yml(document)


@pytest.mark.parametrize(
    "data",
    [
        train_yml(HOSTILE, None),
        train_yml("NormalizeImage", {"scale": HOSTILE}),
        train_yml("NormalizeImage", None, {"scale": HOSTILE}),
        inference_yml(),
    ],
    ids=["an operator's name", "a scale", "a scale for all operators", "a scale of the export"],
)
def test_the_real_code_runs_what_is_not_checked(
    evaluate: Callable[[bytes], ModelError | None], data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.search("names .* not among the operators|write a number or a fraction", str(evaluate(data)))
    monkeypatch.setattr(configs, "OPERATORS", {*OPERATORS, HOSTILE})
    for module in ("artifacts.configs", "backends.paddlex.pipeline"):
        monkeypatch.setattr(f"pytest_ocrparity.{module}.config_scale", lambda *_: 1.0)
    with pytest.raises(AssertionError, match=r"it did more than read: .*os\.system"):
        evaluate(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1./255.", True), ("NormalizeImage", True), ("NormalizeImage()", False), ("1./a", False), ("1 if", False)],
)
def test_only_numbers_and_known_names_are_plain(text: str, expected: bool) -> None:
    assert is_plain("compile", (text.encode(), "<string>")) is expected


def test_code_that_was_not_compiled_from_a_text_is_not_plain() -> None:
    assert is_plain("exec", (compile("1./255.", "<string>", "eval"),))
    assert not is_plain("exec", (compile("1./255.", "module.py", "eval"),))
    assert not is_plain("exec", (compile("os.system", "<string>", "eval"),))
    assert not is_plain("os.system", ("true",))
