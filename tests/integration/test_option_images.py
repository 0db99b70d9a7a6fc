"""`--ocr-images`: a file, a glob or a folder, once or more, in place of the settings' images."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("args", "images"),
    [
        ((), 2),
        (("--ocr-images=images/one_word.npy",), 1),
        (("--ocr-images=images/t*.npy",), 1),
        (("--ocr-images=images/one_word.npy", "--ocr-images=images/three_words.npy"), 2),
        (("--ocr-images=images/*.npy", "--ocr-images=images/one_word.npy"), 2),
    ],
)
def test_they_are_compared(project: pytest.Pytester, args: tuple[str, ...], images: int) -> None:
    result = project.runpytest("-p", "no:xdist", "-k", "training", *args)
    result.assert_outcomes(passed=images, deselected=images)


def test_a_folder_is_searched_for_images(project: pytest.Pytester) -> None:
    (project.path / "images" / "deep").mkdir()
    (project.path / "images" / "deep" / "a.PNG").touch()
    (project.path / "images" / "notes.txt").touch()
    project.makepyfile(test_export="def test_name(ocr_image): assert ocr_image.name == 'a.PNG'")
    project.runpytest("-p", "no:xdist", "--ocr-images=images").assert_outcomes(passed=1, failed=1)


def test_one_that_matches_nothing_is_an_error(project: pytest.Pytester) -> None:
    result = project.runpytest("-p", "no:xdist", "--ocr-images=none/*.png")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*no images: *none/[*].png matches no file; the nearest folder*"])


def test_a_link_that_leads_nowhere_fails_by_name(project: pytest.Pytester) -> None:
    (project.path / "images" / "gone.npy").symlink_to(project.path / "nowhere.npy")
    result = project.runpytest("-p", "no:xdist", "-k", "training and gone")
    result.assert_outcomes(failed=1, deselected=5)


def test_the_smallest_file_comes_first(project: pytest.Pytester) -> None:
    import numpy as np
    from toy import page

    np.save(project.path / "images" / "a_large_page.npy", page(256, 256))
    result = project.runpytest("-p", "no:xdist", "-v", "-k", "training")
    result.stdout.fnmatch_lines(["*one_word*", "*three_words*", "*a_large_page*"])


def test_a_name_that_no_file_can_have_is_a_usage_error(project: pytest.Pytester) -> None:
    result = project.runpytest("-p", "no:xdist", f"--ocr-images={'x' * 300}.png")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--ocr-images has a name of 304 bytes, and no file's has more than 255*"])
