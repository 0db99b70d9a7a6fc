"""Right deployments of the recogniser pass: every line of the example under every harmless variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real.features import IS_PADDLEX_3_1

from faults.deployment import EXAMPLE
from faults.recognition import exports, wrappers
from faults.recognition.case import Inject, both
from faults.recognition.cases_lines import NO_EVAL_MODE, export_yml, options, train_yml
from faults.recognition.cases_models import entries, trained_entries, with_mark
from faults.recognition.deployment import LINES, LineDeployment, LineTrial
from faults.recognition.port import LinePort, load_bgr
from faults.rows import ALL
from pytest_ocrparity.trace import Image


def by_127(pixels: Any) -> Any:
    """Normalise by x / 127.5 - 1, which is the same but for rounding."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def in_batches(d: LineDeployment) -> None:
    d.predict_options["batch_size"] = 4


def with_words(d: LineDeployment) -> None:
    d.predict_options["return_word_box"] = True


def crlf(d: LineDeployment) -> None:
    exports.trained_dictionary(d, lambda letters: letters, end="\r\n")


def unchanged(path: Path) -> Image:
    return path


def as_array(path: Path) -> Image:
    return np.asarray(load_bgr(path))


def rewritten(suffix: str) -> Callable[[Path], Image]:
    """Return what saves a line in a format that loses nothing."""

    def save(path: Path) -> Image:
        import cv2

        other = path.parent / f"{path.stem}_again{suffix}"
        assert cv2.imwrite(str(other), load_bgr(path))
        return other

    return save


@dataclass(frozen=True)
class Variation:
    """What is harmless: files and settings that are otherwise, another candidate, or another form of the line."""

    inject: Inject = lambda d: None
    make: Callable[[Any], Any] = lambda inference: inference
    form: Callable[[Path], Image] = unchanged


VARIATIONS = {
    "as it is": Variation(),
    "one thread": Variation(options(cpu_threads=1)),
    "oneDNN": Variation(options(enable_mkldnn=True)),
    "batches of 4, one line at a time": Variation(in_batches),
    "exported again": Variation(exports.of_state(lambda state: state)),
    "infer_mode in the place of eval_mode (R13)": Variation(both(NO_EVAL_MODE, train_yml("Global", infer_mode=True))),
    "a yml of the export without eval_mode": Variation(export_yml("RecResizeImg", eval_mode=None)),
    "use_space_char in inference.yml": Variation(export_yml("PostProcess", use_space_char=False)),
    "ends of lines of Windows (C7)": Variation(crlf),
    "a byte order mark on both sides (C9)": Variation(both(trained_entries(with_mark), entries(with_mark))),
    "ignored spaces in the metric (V1)": Variation(train_yml("Metric", ignore_space=True)),
    "a wrapper": Variation(make=wrappers.Wrapper),
    "a wrapper that ran another line": Variation(
        make=wrappers.used(wrappers.Wrapper, EXAMPLE / "lines" / "wide_receipt.png")
    ),
    "a port": Variation(make=lambda inference: LinePort(engine=inference)),
    "a port that rounds otherwise": Variation(make=lambda inference: LinePort(engine=inference, normalise=by_127)),
    "a port that records nothing but its text": Variation(
        make=lambda inference: LinePort(engine=inference, recorded=(), has_source=False)
    ),
    "arrays": Variation(form=as_array),
    "BMP": Variation(form=rewritten(".bmp")),
}
if not IS_PADDLEX_3_1:  # which has no boxes of words and reads fewer formats
    VARIATIONS |= {
        "boxes of words as well": Variation(with_words),
        "TIFF": Variation(form=rewritten(".tiff")),
        "PPM": Variation(form=rewritten(".ppm")),
    }
MODELS: dict[str, tuple[LineDeployment, tuple[Any, Any]]] = {}
NO_TEXT = "blank.png"
"""A line without a text: where nothing but texts is compared, two empty ones prove nothing."""


WHOLE = ("oneDNN", "a port")
"""The variations that CI runs on all lines; the others it runs on a few. `make example` runs all lines as it is."""
FEW = ("alpha.png", "blank.png", "exif_orientation.jpg", "wide_receipt.png")
RUN = [(name, line) for name in VARIATIONS for line in LINES if ALL or name in WHOLE or line in FEW]


@pytest.mark.parametrize(("name", "line"), RUN)
def test_a_right_deployment_passes(
    name: str, line: str, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    if name.endswith("nothing but its text") and line == NO_TEXT:
        return
    record_property("faults.clean_line", f"{name} {line}")
    if name not in MODELS:
        deployment = LineDeployment.copy(tmp_path_factory.mktemp("clean"))
        VARIATIONS[name].inject(deployment)
        train, inference = deployment.models()
        MODELS[name] = deployment, (train, VARIATIONS[name].make(inference))
    deployment, (train, candidate) = MODELS[name]
    given = VARIATIONS[name].form(deployment.folder / "lines" / line)
    reference, found = train.trace(given), candidate.trace(given)
    assert reference.recognition is not None and found.recognition is not None
    assert LineTrial.judge(reference, found) is None
