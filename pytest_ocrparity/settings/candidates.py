"""The deployments under test, as settings describe them: what each inherits, what the command line overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.errors import Mistakes, OptionError, SettingsError
from pytest_ocrparity.settings.batch_settings import check_batch_setting
from pytest_ocrparity.settings.engine_settings import (
    OF_ANY_CLASS,
    OF_ANY_SIDE,
    check_engine_settings,
    have_other_engine_settings,
    is_other_side,
    without_second_engine_setting,
)
from pytest_ocrparity.settings.result_files import RESULTS, check_result_files, runs_without_result_files
from pytest_ocrparity.settings.setting_paths import (
    path_with_home,
    with_absolute_option_paths,
    with_absolute_paths_of_table,
)
from pytest_ocrparity.settings.settings_table import TABLES
from pytest_ocrparity.tolerance import Tolerance, parse_tolerance


class Candidate(NamedTuple):
    """A deployment under test.

    `values` are those of its settings table with absolute paths, which `session.models.inference_model` loads it by;
    `tolerance` holds its limits, with those of the command line on top; `batch` is how many images it runs at once.
    """

    name: str
    values: Mapping[str, Any]
    tolerance: Tolerance
    inherited: frozenset[str] = frozenset()
    """The keys that it has from the inference table, where their values are corrected."""
    batch: int = 1


def read_candidates(
    tables: Mapping[str, Mapping[str, Any]],
    file: Path | None,
    root: Path,
    tolerance: Tolerance,
    words: Sequence[str],
    mistakes: Mistakes,
    prefix: str = "",
) -> dict[str, Candidate]:
    """Return the candidates; what one leaves out is the inference table's, except for its tolerance."""
    inference = tables["inference"]
    own = {"inference": inference} if inference else {}
    candidates = {}
    for name, table in {**own, **tables["candidates"]}.items():
        where = f"{file}: {prefix}{'' if name in own else 'candidates.'}{name}"
        with mistakes.gathering():
            _check_factory(table, where)
        inherited = _inherited(inference, table)
        has, table = frozenset(inherited.keys() - table.keys()), {**inherited, **table}
        limits = tolerance
        with mistakes.gathering():
            check_result_files(where, table)
        with mistakes.gathering():
            inferences = {key: f"{file}: {prefix}inference.{key}" for key in has}
            check_engine_settings({key: f"{where}.{key}" for key in TABLES["inference"]} | inferences, table)
        with mistakes.gathering():
            check_batch_setting(where, table)
        with mistakes.gathering():
            limits = commanded(tolerance.override(table.pop("tolerance", None), where), words)
        batch = table.pop("batch", 1)
        candidates[name] = Candidate(
            name=name, values=_deployment(table, root), tolerance=limits, inherited=has, batch=batch
        )
    return candidates


BESIDE_FACTORY: Final = (
    *("api", "engine", "model_dir", "model_file", "model_name"),
    *("options", "options_file", "results", "frame"),
)
"""What an object that a user's function returns has already."""


def _inherited(inference: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a candidate has from the inference table, which is nothing that means something else there."""
    if "factory" in table or ("factory" in inference and table.keys() & {*BESIDE_FACTORY}):
        return {}
    if have_other_engine_settings(inference, table) or runs_without_result_files(inference, table):
        return {}
    api = TABLES["inference"]["api"].default
    apis = inference.get("api", api), table.get("api", inference.get("api", api))
    if apis[0] != apis[1] and RESULTS in apis:
        return {}
    if is_other_side(table) or is_other_side(inference):
        same = apis[0] == apis[1] and inference.get("engine") == table.get("engine", inference.get("engine"))
        kept: Sequence[str] = [key for key in inference if key != "tolerance"] if same else OF_ANY_SIDE
        return {key: inference[key] for key in kept if key in inference}
    kept = OF_ANY_CLASS if apis[0] != apis[1] else [key for key in inference if key != "tolerance"]
    return without_second_engine_setting({key: inference[key] for key in kept if key in inference}, table)


def _check_factory(table: Mapping[str, Any], where: str) -> None:
    """Refuse what would change nothing beside a factory. Raises SettingsError."""
    beside = [key for key in BESIDE_FACTORY if key in table]
    if "factory" in table and beside:
        raise SettingsError(
            f"{where}.factory = {table['factory']!r} returns the object that production calls, which has its own "
            f"{' and '.join(beside)}: beside it, {' and '.join(beside)} would change nothing; keep one of them"
        )


def _deployment(table: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the values of a candidate with absolute paths, those inside of its options included."""
    values = with_absolute_paths_of_table(table, "inference", root)
    if "options" in values:
        values["options"] = with_absolute_option_paths(values["options"], root)
    return {**values, "folder": root} if values.keys() & {"factory", "options_file"} else values


def candidates_with_folder(
    candidates: Mapping[str, Candidate], folder: Path, given: str, tolerance: Tolerance, words: Sequence[str]
) -> dict[str, Candidate]:
    """Return the only candidate with another export folder. Raises SettingsError where there are several."""
    if len(candidates) > 1:
        raise OptionError(
            f"--ocr-inference-dir={given}: which of {', '.join(candidates)} is meant? It names the folder of an only "
            "candidate; set the folder of one of several in the settings"
        )
    if candidates and next(iter(candidates.values())).values.get("api") == RESULTS:
        raise OptionError(f'--ocr-inference-dir={given}: with api = "results" nothing runs, and no folder is read')
    if candidates and "model_file" in next(iter(candidates.values())).values:
        raise OptionError(f"--ocr-inference-dir={given}: the settings name a single file as model_file, and no folder")
    (only,) = candidates.values() or (Candidate(name="inference", values={}, tolerance=commanded(tolerance, words)),)
    if "factory" in only.values:
        raise OptionError(
            f"--ocr-inference-dir={given}: {only.name}.factory returns an object that has its folder already"
        )
    return {only.name: only._replace(values={**only.values, "model_dir": folder / path_with_home(given)})}


def commanded(tolerance: Tolerance, words: Sequence[str]) -> Tolerance:
    """Return a tolerance with the limits of the command line on top."""
    parsed = [parse_tolerance(word) for word in words]
    # A preset replaces all that is below it, so it comes first wherever it stands on the line.
    for values in sorted(parsed, key=lambda values: "preset" not in values):
        tolerance = tolerance.override(values, "command line")
    return tolerance
