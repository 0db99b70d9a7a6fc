"""What is mutated, and by which tests it has to be noticed."""

from __future__ import annotations

from pathlib import Path

CORE = (
    *("geometry.py", "tolerance.py", "rejudge.py", "compare", "golden"),
    *(f"diagnose/{name}.py" for name in ("__init__", "budget", "chance", "laboratory", "page_frame", "repeatability")),
    *("diagnose/postprocessing/equality.py", "diagnose/network/map_change.py"),
)
"""The files and folders of what compares, judges, decides on causes and reads baselines.

The experiments of a diagnosis are not among them: whether one names the right cause shows on injected faults, which
take too long for each change.
"""

UNIT = Path("tests", "unit")
TESTS = tuple(
    str(UNIT / name)
    for name in (
        *("compare", "golden", "diagnose/test_diagnose.py", "diagnose/test_budget.py", "diagnose/test_laboratory.py"),
        *("diagnose/test_chance.py", "diagnose/test_page_frame.py", "diagnose/test_repeatability.py"),
        *("diagnose/network/test_map_change.py",),
        *("diagnose/postprocessing/test_equality.py", "test_geometry.py", "test_geometry_properties.py"),
        *("test_tolerance.py", "test_rejudge.py"),
    )
)


def files_of_core(package: Path) -> list[Path]:
    """Return the files."""
    places = [package / name for name in CORE]
    return [file for place in places for file in (sorted(place.glob("*.py")) if place.is_dir() else [place])]


def mirrors(file: Path, package: Path) -> list[str]:
    """Return the tests that mirror a file, which run where a change acts at import: there all is loaded anew."""
    place = file.relative_to(package)
    name = place.parent.name if place.stem == "__init__" else place.stem
    found = sorted((UNIT / place.parent).glob(f"test_{name}*.py"))
    return [str(each) for each in found] or [str(UNIT / place.parent)]
