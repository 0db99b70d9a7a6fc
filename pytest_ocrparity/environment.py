"""The installed versions, read from metadata without importing what is under test."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable

FRAMEWORKS = ("paddlepaddle", "paddlepaddle-gpu", "paddleocr", "paddlex", "onnxruntime")
CV2 = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
OTHERS = ("pytest-ocrparity", "pytest", "numpy", "shapely")


def header() -> list[str]:
    """Return the versions under test as lines, with a warning where several of cv2 overwrite each other."""
    versions = [f"{name} {version}" for name, version in _installed_versions(FRAMEWORKS).items()]
    cv2 = _installed_versions(CV2)
    versions.append(f"cv2 {', '.join(sorted(set(cv2.values()))) or 'not installed'}")
    lines = [", ".join(versions)]
    if len(set(cv2.values())) > 1:
        installed = ", ".join(f"{name} {version}" for name, version in cv2.items())
        lines.append(
            f"WARNING: several cv2 versions overwrite each other ({installed}); "
            f"install one version of all: pip install opencv-python-headless=={cv2.get(CV2[1]) or '...'}"
        )
    return lines


def environment() -> dict[str, str]:
    """Return the versions that a run's results depend on, by distribution."""
    system = {"python": platform.python_version(), "platform": platform.platform()}
    return system | _installed_versions((*OTHERS, *FRAMEWORKS, *CV2))


def _installed_versions(names: Iterable[str]) -> dict[str, str]:
    return {name: version for name in names if (version := _distribution_version(name))}


def _distribution_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
