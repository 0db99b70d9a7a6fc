"""Which files are pictures of a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity.settings.report_pictures import is_picture_of_a_report

DRAWN = "report/pictures/page.png-3a312489/decode-thumbnail-c6dead1005.small.jpg"


@pytest.mark.parametrize(
    ("name", "is_picture"),
    [
        (DRAWN, True),
        ("report/pictures/page.png/boxes-both-c6dead1005.png", True),
        ("report/pictures/page.png/page.png", False),
        ("report/page.png/boxes-both-c6dead1005.png", False),
        ("scans/pictures/2026/photo-2026050112.jpg", False),
        ("boxes-both-c6dead1005.png", False),
    ],
)
def test_by_its_place_and_its_name(tmp_path: Path, name: str, is_picture: bool) -> None:
    assert is_picture_of_a_report(tmp_path / name, tmp_path / "report") == is_picture


def test_of_a_report_that_these_settings_do_not_name(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "results.json").touch()
    assert not is_picture_of_a_report(tmp_path / DRAWN, None)
    (tmp_path / "report" / "summary.md").touch()
    assert is_picture_of_a_report(tmp_path / DRAWN, None)
