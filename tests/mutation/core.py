"""What is mutated, and which tests have to notice it: the module's mirror, and these beside it."""

from __future__ import annotations

from pathlib import Path

_COMPARISONS = ("compare/test_compare.py",)
_JUDGED = ("compare/test_judge_rules.py", *_COMPARISONS, *(f"compare/test_{name}.py" for name in ("preprocessing", "probability_maps", "text")))
_STORED = ("golden/test_store.py", "golden/test_baseline_file.py")
_DIAGNOSED = ("diagnose/test_diagnose.py", "diagnose/test_laboratory.py")
CORE: dict[str, tuple[str, ...]] = {
    "geometry.py": ("test_geometry_properties.py",),
    "tolerance.py": (),
    "rejudge.py": (),
    "compare/__init__.py": _COMPARISONS,
    "compare/array_difference.py": _COMPARISONS,
    "compare/borderline.py": (),
    "compare/box_pairs.py": ("compare/test_detections.py", *_COMPARISONS),
    "compare/characters.py": ("compare/test_text.py",),
    "compare/detections.py": ("compare/test_borderline.py", *_COMPARISONS),
    "compare/judge.py": _JUDGED,
    "compare/parameter_differences.py": _COMPARISONS,
    "compare/preconditions.py": _COMPARISONS,
    "compare/preprocessing.py": _COMPARISONS,
    "compare/probability_maps.py": _COMPARISONS,
    "compare/run_verdict.py": (),
    "compare/scores.py": ("compare/test_text.py",),
    "compare/sensitivity.py": ("compare/test_probability_maps.py", *_COMPARISONS),
    "compare/text.py": (),
    "compare/timesteps.py": ("compare/test_text.py", "compare/test_probability_maps.py"),
    "golden/baseline_file.py": (),
    "golden/encoding.py": (),
    "golden/ownership.py": (),
    "golden/store.py": (),
    "diagnose/__init__.py": _DIAGNOSED,
    "diagnose/budget.py": _DIAGNOSED,
    "diagnose/laboratory.py": _DIAGNOSED,
    "diagnose/repeatability.py": _DIAGNOSED,
    "diagnose/postprocessing/equality.py": (),
    "diagnose/network/map_change.py": (),
}


def tests_of(module: str) -> list[str]:
    """Return the files of the tests of a module of the core, its mirror first."""
    place = Path(module)
    mirror = place.with_name(f"test_{place.stem}.py")
    names = [] if place.stem == "__init__" else [mirror.as_posix()]
    return [f"tests/unit/{name}" for name in [*names, *CORE[module]]]
