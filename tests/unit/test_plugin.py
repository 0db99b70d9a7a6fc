"""The plugin, as every pytest run loads it, imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest_ocrparity.plugin; "
        "print({'numpy', 'shapely', 'scipy', 'cv2', 'yaml', 'paddle', 'msgspec'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
