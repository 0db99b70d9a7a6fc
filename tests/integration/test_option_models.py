"""The options of the models: --ocr-train-config, -checkpoint, --ocr-paddleocr-root, --ocr-inference-dir.

What they load is tested in tests/real; here, that each reaches the loader and that errors name its file.
"""

from __future__ import annotations

import pytest
from real.blob import YML, write_yml


@pytest.fixture
def bare(project: pytest.Pytester) -> pytest.Pytester:
    """The project with the real fixtures, and no models."""
    project.makeconftest("")
    return project


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--ocr-train-config=a.yml",), "*a.yml*"),
        (("--ocr-train-config=a.yml", "--ocr-train-checkpoint=b"), "*b.pdparams*"),
    ],
)
def test_train_files_are_named(bare: pytest.Pytester, args: tuple[str, ...], text: str) -> None:
    if len(args) > 1:
        write_yml(bare.path / "a.yml", YML)
    bare.makepyfile(test_export="def test_train(ocr_train_model): pass")
    result = bare.runpytest("-p", "no:xdist", *args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([text])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_export_folder_is_named(bare: pytest.Pytester) -> None:
    bare.makepyfile(test_export="def test_export(ocr_inference_model): pass")
    result = bare.runpytest("-p", "no:xdist", "--ocr-inference-dir=nowhere")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*nowhere: no such folder: --ocr-inference-dir is the folder*"])


def test_a_checkout_without_ppocr_is_named(bare: pytest.Pytester) -> None:
    write_yml(bare.path / "a.yml", YML)
    (bare.path / "b.pdparams").write_bytes(b"x")
    bare.mkdir("checkout")
    bare.makepyfile(test_export="def test_train(ocr_train_model): pass")
    args = ("--ocr-train-config=a.yml", "--ocr-train-checkpoint=b", "--ocr-paddleocr-root=checkout")
    result = bare.runpytest("-p", "no:xdist", *args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*checkout*ppocr*"])
