"""The options of paddleocr 3.x that choose how a network runs, and other ways to run the same export.

`engine_config` replaces what paddleocr makes of its other options, so what is set otherwise is set where the user did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import ExportFiles
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.backends.paddlex.program import plain_program_run
from pytest_ocrparity.diagnosis import Alternative, Change, Fix
from pytest_ocrparity.wording import toml_text

Options: TypeAlias = Mapping[str, Any]
Map: TypeAlias = "npt.NDArray[np.float32]"

ENGINES: Final = frozenset(
    {"paddle_static", "paddle_dynamic", "onnxruntime", "transformers", "hpi", "flexible", "genai_client"}
)
"""The keys of an `engine_config` that holds one table per engine; beside them paddlex takes no other."""

CHOICES: Final = ("enable_hpi", "use_tensorrt", "precision", "enable_cinn")
CONFIG_CHOICES: Final = ("run_mode", "enable_cinn", "enable_new_ir", "trt_cfg_setting")
"""What changes how a network computes, and not only where or how fast: as options, and inside of `engine_config`."""


def other_engines(
    export: ExportFiles,
    deployed: Deployed,
    engine: Options,
    known: Collection[str],
    infer: Callable[[Options, Map], Map],
) -> Iterator[Alternative]:
    """Yield the other ways to run an export that Paddle Inference runs, each with the cause that it would prove.

    What is tried is what is advised: the experiment runs with the very changes of its fix.

    Args:
        export: its files.
        deployed: what the user gave paddleocr.
        engine: what the engine runs with.
        known: the options that choose how a network runs, as far as paddleocr takes them.
        infer: runs the export with some options changed; None takes one away.
    """

    def under(cause: str, label: str, fix: Fix) -> Alternative:
        (change,) = fix.changes
        return Alternative(cause, label, lambda tensor: infer(change.values, tensor), fix, keeps_passes=True)

    for path in export.files:
        if path != export.program and path.suffix == ".pdmodel":
            label = f"{path.name}, the other program of {export.folder}"
            yield Alternative("network.stale_program", label, plain_program_run(path), _without_stale(export))
    if chosen := own_choices(deployed.options):
        label = f"paddleocr's own choice in the place of {_options_text(chosen)}"
        yield under("engine.optimization", label, without_choices(deployed))
    if str(engine["engine"]).startswith("mkldnn"):
        yield under("engine.onednn", "oneDNN off", without_onednn(deployed))
    assert export.program is not None
    fix = without_pass(deployed, engine) if "engine_config" in known else Fix("deploy with another release of paddle")
    yield Alternative("engine.optimization", "no engine pass", plain_program_run(export.program), fix)


def own_choices(options: Options) -> dict[str, Any]:
    """Return what a user set that changes how the network computes, by the name that messages give it."""
    found = {name: options[name] for name in CHOICES if options.get(name)}
    config, place = _engine_config(options), "engine_config.paddle_static" if _has_tables(options) else "engine_config"
    return found | {f"{place}.{name}": config[name] for name in CONFIG_CHOICES if config.get(name) is not None}


def without_choices(deployed: Deployed) -> Fix:
    """Return how a user leaves these choices to paddleocr.

    Raises:
        ValueError: nothing was chosen.
    """
    options = deployed.options
    chosen = own_choices(options)
    changed: dict[str, Any] = dict.fromkeys(name for name in CHOICES if name in chosen)
    if any(name not in CHOICES for name in chosen):
        kept = {name: value for name, value in _engine_config(options).items() if name not in CONFIG_CHOICES}
        changed["engine_config"] = _engine_config_with(options, kept) if kept else None
    if not changed:
        raise ValueError("nothing was chosen, so that a fix changes nothing")
    return deployed.taking_away(_options_text(chosen), changed)


def without_onednn(deployed: Deployed) -> Fix:
    """Return how a user switches oneDNN off."""
    options = deployed.options
    if options.get("engine_config") is None:
        return deployed.passing("enable_mkldnn=False", {"enable_mkldnn": False})
    config = _engine_config(options)
    own = f" in the place of {toml_text(config['run_mode'])}" if config.get("run_mode") else ""
    changed = {"engine_config": _engine_config_with(options, {**config, "run_mode": "paddle"})}
    what = f'an engine_config with run_mode = "paddle"{own}'
    return deployed.passing(what, changed, note=" (beside engine_config, enable_mkldnn is ignored)")


def without_pass(deployed: Deployed, running: Mapping[str, Any]) -> Fix:
    """Return where the name of an optimisation pass is written that is to be left out; which one, a user must find.

    Args:
        deployed: what the user gave paddleocr.
        running: what the engine runs with, which an `engine_config` has to repeat where there was none.
    """
    if "cpu_threads" not in running:
        return Fix(f"deploy with another release of {running['engine']}, or with another engine")
    options = deployed.options
    config = _engine_config(options)
    if options.get("engine_config") is None:
        threads = {"cpu_threads": running["cpu_threads"]} if running.get("cpu_threads") else {}
        config = {"run_mode": running["engine"], **threads}
    written = toml_text(_engine_config_with(options, {**config, "delete_pass": ["NAME_OF_THE_PASS"]}))
    return Fix(
        "deploy with another release of paddle; or find out which optimisation pass it is, one by one, and leave it "
        f"out with engine_config = {written} {deployed.place_of(('engine_config',))}"
    )


def _without_stale(export: ExportFiles) -> Fix:
    program: Path | None = export.program
    assert program is not None
    return Fix(
        f"delete {program.name} from the export folder: paddle prefers it to the right inference.pdmodel",
        (Change("delete", key=program.name),),
    )


def _options_text(chosen: Options) -> str:
    return " and ".join(f"{name} = {toml_text(value)}" for name, value in chosen.items())


def _engine_config(options: Options) -> dict[str, Any]:
    """Return the part of `engine_config` that Paddle Inference gets."""
    config = options.get("engine_config") or {}
    return dict(config.get("paddle_static") or {}) if _has_tables(options) else dict(config)


def _engine_config_with(options: Options, config: Options) -> dict[str, Any]:
    """Return an `engine_config` of the user's form that holds this for Paddle Inference."""
    own = options.get("engine_config") or {}
    return {**own, "paddle_static": dict(config)} if _has_tables(options) else dict(config)


def _has_tables(options: Options) -> bool:
    """Return whether `engine_config` holds a table per engine."""
    return bool(ENGINES & (options.get("engine_config") or {}).keys())
