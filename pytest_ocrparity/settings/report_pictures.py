"""The names of a report's files, whose pictures a glob of the user's may match: they are images of no model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

RESULTS, SUMMARY = "results.json", "summary.md"
PICTURES: Final = "pictures"
"""The folder of them in that of the report."""
OURS: Final = re.compile(r"\S+-[0-9a-f]{10}(\.small)?\.(jpg|js|png|svg)|\.ocrparity-[0-9a-f]+\.tmp")
"""The names of pictures, of their values and of temporary files: nothing else is removed."""


def is_picture_of_a_report(path: Path, report_dir: Path | None) -> bool:
    """Tell whether a file is a picture of this run's report, or of another."""
    if OURS.fullmatch(path.name) is None or len(path.parents) < 3 or path.parents[1].name != PICTURES:
        return False
    folder = path.parents[2]
    return folder == report_dir or all((folder / name).is_file() for name in (RESULTS, SUMMARY))
