"""Images are read whole or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy import PAGE, page

from pytest_ocrparity.errors import ImageError, ModelError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on, refuse_pointer_file


class TestImageBytes:
    def test_an_array_is_named_by_its_content(self) -> None:
        name, data = image_file_bytes(PAGE)
        assert name.startswith("array 64x96 ")
        assert image_file_bytes(page())[1] != data

    @pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
    def test_another_array_is_refused(self, array: npt.NDArray[Any]) -> None:
        with pytest.raises(ImageError, match=r"must be \(H, W, 3\) uint8 in BGR order"):
            image_file_bytes(array)

    def test_a_file_that_is_no_image_has_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"none.png: cannot read this image: No such file"):
            image_file_bytes(tmp_path / "none.png")
        path = tmp_path / "a.png"
        path.touch()
        with pytest.raises(ImageError, match="this image file is empty"):
            image_file_bytes(path)
        for start, end in ((b"\x89PNG\r\n", b"IEND"), (b"\xff\xd8\xff\xe0\xff\xda", b"\xff\xd9")):
            path.write_bytes(start + b"pixels")
            with pytest.raises(ImageError, match="this image file is truncated"):
                image_file_bytes(path)
            path.write_bytes(start + b"pixels" + end)
            assert image_file_bytes(path)[1].endswith(end)
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(ImageError, match="is a git-lfs pointer, not an image: run `git lfs pull`"):
            image_file_bytes(path)


def test_a_file_of_a_model_that_cannot_be_read_has_a_sentence(tmp_path: Path) -> None:
    for name, content, message in (
        ("empty", b"", "empty is empty: copy or export it again"),
        ("pointer", b"version https://git-lfs.github.com/spec/v1\n", "pointer is a git-lfs pointer"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=message):
            refuse_pointer_file(tmp_path / name)
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        refuse_pointer_file(tmp_path)
    (tmp_path / "weights").write_bytes(b"weights")
    refuse_pointer_file(tmp_path / "weights")


def test_who_is_handed_an_image_may_change_it() -> None:
    image = PAGE.copy()
    given = image_to_hand_on(image)
    assert isinstance(given, np.ndarray) and np.array_equal(given, PAGE)
    given[:] = 0
    assert np.array_equal(image, PAGE)
    assert image_to_hand_on(Path("a") / "page.png") == str(Path("a") / "page.png")
