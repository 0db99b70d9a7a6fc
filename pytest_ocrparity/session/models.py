"""Load the models that the settings describe: once per process, not per fixture, while their files stay as they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_ocrparity.diagnosis import PAGE_SIDE, in_table, table_of
from pytest_ocrparity.errors import Mistakes, ModelError, SettingsError
from pytest_ocrparity.session.other_sides import check_rapidocr_batch, load_other_side, other_side_problems
from pytest_ocrparity.settings.candidates import Candidate
from pytest_ocrparity.settings.engine_settings import RAPIDOCR, is_other_side, with_engine_setting
from pytest_ocrparity.settings.page_settings import page_values
from pytest_ocrparity.settings.result_files import PLACEHOLDER, RESULTS
from pytest_ocrparity.stages import DETECTION, RECOGNITION, Task, task_named

if TYPE_CHECKING:
    from pytest_ocrparity.contract import Pipeline
    from pytest_ocrparity.golden.store import GoldenStore
    from pytest_ocrparity.report.document import Record
    from pytest_ocrparity.settings import Settings

PAGES_FOLDER: Final = "pages"
"""The folder of the baselines of pages, in that of all baselines."""
_LOADED: dict[str, Any] = {}


def load_once(key: str, files: Iterable[Path], load: Callable[[], Any]) -> Any:
    """Return what was loaded under this key while these files were as they are, or load it."""
    key = f"{key} {[(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file()]}"
    if key not in _LOADED:
        _LOADED[key] = load()
    return _LOADED[key]


def _need_setting(settings: Settings, values: Mapping[str, Any], table: str, key: str, option: str) -> None:
    if key not in values:
        where = settings.file or "no settings file was found, and the command line"
        # Of several candidates the option can't tell which is meant; of a recogniser beside a detector there is none.
        has_option = not settings.prefix and (len(settings.candidates) < 2 or table == "train")
        way_out = f"set it, or pass {option}" if has_option else "set it"
        raise SettingsError(f"{where} sets no {table}.{key}: {way_out}")


def train_model(settings: Settings) -> Pipeline:
    """Return the trained model, a detector or a recogniser.

    Raises:
        SettingsError: the settings name no training yml.
        ModelError: its files or its software do not load.
    """
    values = settings.train
    limit = settings.memory_limit
    _need_setting(settings, values, "train", "config", "--ocr-train-config")

    def load() -> Pipeline:
        from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline

        try:
            given = {"checkpoint": None, "paddleocr_root": None, **values}
            return cast("Pipeline", load_ppocr_pipeline(**given, memory_limit=limit))
        except ModelError as error:
            raise ModelError(settings.as_typed(str(error))) from error

    checkpoint = values.get("checkpoint") or ""
    files = [Path(values["config"]), Path(f"{checkpoint}.pdparams"), Path(checkpoint), *_dictionary_of(values)]
    model: Pipeline = load_once(f"train {sorted(values.items())!r} {limit}", files, load)
    return model


def _dictionary_of(values: Mapping[str, Any]) -> list[Path]:
    """Return the dictionary of a recogniser's train side; nothing where there is none, or its files are wrong."""
    from pytest_ocrparity.artifacts.configs import is_config_of_recogniser, read_config
    from pytest_ocrparity.artifacts.dictionary import find_dictionary

    with suppress(ModelError):
        config = Path(values["config"])
        yml = read_config(config)
        found = find_dictionary(yml, config, values.get("paddleocr_root")) if is_config_of_recogniser(yml) else None
        return [] if found is None else [found]
    return []


def inference_model(settings: Settings, name: str | None = None) -> Pipeline:
    """Return the deployment that a candidate is: the named one, else the first.

    Raises:
        SettingsError: the settings name no export folder.
        ModelError: its files or its software do not load.
    """
    name, table, values = _candidate_values(settings, name)
    if values.get("api") == RESULTS:
        from pytest_ocrparity.backends.results.pipeline import ResultsPipeline

        frame = values.get("frame", "file")
        given: dict[str, Any] = {"name": name, "frame": frame, "prefix": settings.prefix}
        return cast("Pipeline", ResultsPipeline(values["results"], settings.root, **given))
    limit = settings.memory_limit
    if not values.keys() & {"factory", "model_file"}:
        _need_setting(settings, values, table, "model_dir", "--ocr-inference-dir")

    def load() -> Pipeline:
        try:
            if is_other_side(values):
                side = load_other_side(values, settings.train.get("paddleocr_root"), limit, name)
                task = task_named(getattr(side, "task", None)) or DETECTION
                _check_task(settings, task, values.get("model_file") or values["model_dir"])
                if values.get("api") == RAPIDOCR:
                    check_rapidocr_batch(task, settings.batch_of(name))
                return side
            if "model_file" in values:
                from pytest_ocrparity.backends.onnx.pipeline import load_onnx_pipeline

                return load_onnx_pipeline(values["model_file"], values.get("options"), memory_limit=limit, name=name)
            from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline

            _refuse_second_engine(settings, name)
            return cast("Pipeline", load_paddlex_pipeline(**with_engine_setting(values), memory_limit=limit, name=name))
        except ModelError as error:
            raise ModelError(_in_its_table(settings, name, str(error))) from error

    model: Pipeline = load_once(f"{name} {sorted(values.items())!r} {limit}", _files_of(values), load)
    return model


def _files_of(values: Mapping[str, Any]) -> list[Path]:
    """Return the files that a candidate is loaded from, as far as its settings name them."""
    folder = values["model_file"].parent if "model_file" in values else values.get("model_dir")
    files = [] if folder is None else sorted(Path(folder).glob("*"))
    options = values.get("options") or {}
    named = [values.get("options_file"), *(options.get(name) for name in ("paddlex_config", "Rec.rec_keys_path"))]
    return [*files, *(Path(each) for each in named if isinstance(each, str | Path))]


def _candidate_values(settings: Settings, name: str | None) -> tuple[str, str, Mapping[str, Any]]:
    """Return the name, the settings table and the values of a candidate: the named one, else the first."""
    candidate = settings.candidates[name] if name else settings.first_candidate
    name, values = (candidate.name, candidate.values) if candidate else ("inference", {})
    return name, table_of(name), values


def config_of_candidate(values: Mapping[str, Any]) -> Path | None:
    """Return the inference.yml that the settings of a candidate lead to; None where they name no folder."""
    from pytest_ocrparity.artifacts.model_files import CONFIG

    folder = values["model_file"].parent if "model_file" in values else values.get("model_dir")
    return None if folder is None or values.get("api") == RESULTS else Path(folder) / CONFIG


def train_model_problems(settings: Settings) -> list[str]:
    """Return what of the train side is not there or means nothing, as far as it shows without loading anything."""
    from pytest_ocrparity.artifacts.configs import check_config_sub_model, is_config_of_recogniser, read_config
    from pytest_ocrparity.artifacts.dictionary import find_dictionary
    from pytest_ocrparity.artifacts.families import family_of_training
    from pytest_ocrparity.artifacts.model_files import find_checkpoint_file
    from pytest_ocrparity.backends.isolation import (
        check_checkout,
        check_entry_point,
        check_ppocr,
    )

    mistakes, values = Mistakes(), settings.train
    root, checkpoint, yml = values.get("paddleocr_root"), values.get("checkpoint"), None
    with mistakes.gathering():
        _need_setting(settings, values, "train", "config", "--ocr-train-config")
        if not values["config"].exists():
            raise SettingsError(f"{values['config']}: no such file: train.config is the YAML file of the training")
        yml = read_config(values["config"])
        family = family_of_training(yml)
        family.check_training(yml, values["config"])
        _check_task(settings, family.task, values["config"])
        check_config_sub_model(yml["Architecture"], values.get("sub_model"), values["config"])
    if yml is not None or checkpoint is not None:
        with mistakes.gathering():
            find_checkpoint_file(checkpoint, yml or {}, values.get("config", Path()), root)
    if yml is not None and is_config_of_recogniser(yml):
        with mistakes.gathering():
            find_dictionary(yml, values["config"], root)
    with mistakes.gathering():
        if root is None:
            check_ppocr()
        else:
            check_checkout(root)
    if "network" in values:
        with mistakes.gathering():
            check_entry_point(values["network"], values["network_folder"])
    return [settings.as_typed(text) for text in mistakes.texts]


def inference_model_problems(settings: Settings, name: str | None = None) -> list[str]:
    """Return what of a candidate is not there or means nothing, as far as it shows without loading anything."""
    from pytest_ocrparity.artifacts.configs import config_model_name, read_config
    from pytest_ocrparity.artifacts.families import family_of_export
    from pytest_ocrparity.artifacts.model_files import CONFIG, find_export_files
    from pytest_ocrparity.artifacts.ocr_options import all_ocr_options, ocr_option_problems

    mistakes = Mistakes()
    name, table, values = _candidate_values(settings, name)
    if values.get("api") == RESULTS:
        return _results_problems(values["results"], f"{settings.prefix}{table}")
    if is_other_side(values) and values.keys() & {"model_dir", "model_file"}:
        root = settings.train.get("paddleocr_root")
        return [_in_its_table(settings, name, text) for text in other_side_problems(values, root)]
    if "model_file" in values:
        return [_in_its_table(settings, name, text) for text in _file_problems(values)]
    if "factory" in values:
        from pytest_ocrparity.backends.isolation import check_entry_point

        with mistakes.gathering():
            check_entry_point(values["factory"], values["folder"], setting="inference.factory")
        return [_in_its_table(settings, name, text) for text in mistakes.texts]
    with mistakes.gathering():
        _refuse_second_engine(settings, name)
    with mistakes.gathering():
        options = all_ocr_options(values.get("options"), values.get("options_file"), values.get("folder"))
        mistakes.texts += ocr_option_problems(options)
    with mistakes.gathering(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who loads it warns
        _need_setting(settings, values, table, "model_dir", "--ocr-inference-dir")
        find_export_files(values["model_dir"])
    config = values.get("model_dir", Path()) / CONFIG
    if "model_dir" in values and config.is_file():
        with mistakes.gathering():
            yml = read_config(config)
            family = family_of_export(yml)
            _check_task(settings, family.task, config)
            family.check_inference(yml, config)
            config_model_name(yml, config, values.get("model_name"), family.model_name)
    return [_in_its_table(settings, name, text) for text in mistakes.texts]


def _in_its_table(settings: Settings, name: str, text: str) -> str:
    """Return a text about settings of `inference` with those names in their place that a candidate's settings have."""
    candidate = settings.candidates.get(name)
    return in_table(settings.as_typed(text), table_of(name), candidate.inherited if candidate else ())


def _refuse_second_engine(settings: Settings, name: str) -> None:
    """Raise ModelError where a candidate's file of options names another engine than the setting beside it.

    A candidate that sets an engine of its own may have the file from the inference table.
    """
    candidate = settings.candidates.get(name)
    if candidate is None or not {"engine", "options_file"} <= candidate.values.keys():
        return
    if "options_file" in candidate.inherited and "engine" not in candidate.inherited:
        return
    from pytest_ocrparity.artifacts.ocr_options import read_ocr_options

    engine, file = candidate.values["engine"], candidate.values["options_file"]
    other = read_ocr_options(file).get("engine")
    if other not in (None, engine):
        raise ModelError(
            f"inference.engine is {engine!r}, and {file}, which inference.options_file names, has the engine "
            f"{other!r}: keep one"
        )


def _check_task(settings: Settings, task: Task, path: Path) -> None:
    """Raise ModelError where a file is of another task than the table that names it, or than the training YAML file."""
    from pytest_ocrparity.artifacts.configs import read_config
    from pytest_ocrparity.artifacts.families import family_of_training

    words = {DETECTION: "a detector", RECOGNITION: "a recogniser"}
    if settings.recognition is not None or settings.prefix:
        wanted = RECOGNITION if settings.prefix else DETECTION
        if task != wanted:
            table = "[tool.ocrparity.recognition]"
            raise ModelError(
                f"{path} is of {words[task]}: {table} holds the recogniser of a project, and [tool.ocrparity] "
                "beside it the detector"
            )
        return
    config = settings.train.get("config")
    trained = task
    with suppress(ModelError):  # the train side says what is wrong with it
        trained = task if config is None else family_of_training(read_config(config)).task
    if trained != task:
        raise ModelError(
            f"{config} is of {words[trained]} and {path} of {words[task]}: an export is compared with what was "
            "trained; in a project of both, the recogniser stands in [tool.ocrparity.recognition]"
        )


def _file_problems(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a bare file and the values of its processing."""
    from pytest_ocrparity.artifacts.model_files import find_model_file
    from pytest_ocrparity.backends.onnx.processing import configure_processing
    from pytest_ocrparity.backends.onnx.runtime import asked_runtime_providers

    mistakes, options = Mistakes(), values.get("options") or {}
    with mistakes.gathering():
        file, config = find_model_file(values["model_file"])
        configure_processing(config, options, file)
    with mistakes.gathering():
        asked_runtime_providers(options)
    return mistakes.texts


def _results_problems(template: Path, table: str) -> list[str]:
    """Return what is wrong with the folder of results that were written elsewhere; each file is looked at on use."""
    folder = next(parent for parent in template.parents if not PLACEHOLDER.search(str(parent)))
    if folder.is_dir():
        return []
    return [f"{folder}: no such folder: {table}.results names the files in it, which the deployment is to write"]


def findings_about_models(settings: Settings, records: Collection[Record]) -> list[str]:
    """Return what is suspicious in the ymls and export folders of the sides that tests used, without loading a model.

    Where the user's own fixture replaces the plugin's, none of them is read.
    """
    from pytest_ocrparity.artifacts.lint import lint_findings
    from pytest_ocrparity.report.document import Loads

    loaded = {record.side for record in records if isinstance(record, Loads)}
    train = {} if "ocr_train_model" in _replaced_fixtures(records) and "train" not in loaded else settings.train
    candidates = _used_candidates(settings, records)
    found: dict[str, None] = {}
    for candidate in candidates:
        # Results run no export, and around a bare file paddleocr's class does not run.
        values = candidate.values
        is_export = values.get("api") != RESULTS and "model_file" not in values and not is_other_side(values)
        values = values if is_export else {}
        found |= dict.fromkeys(in_table(text, table_of(candidate.name)) for text in lint_findings(train, values))
    return list(found if candidates else lint_findings(train, {}))


def _replaced_fixtures(records: Collection[Record]) -> set[str]:
    """Return our fixtures in whose place tests used their own."""
    from pytest_ocrparity.report.document import Used

    return {record.fixture for record in records if isinstance(record, Used) and not record.is_own}


def _used_candidates(settings: Settings, records: Collection[Record]) -> list[Candidate]:
    """Return the candidates that tests loaded; all of them where none was, and no fixture stood in their place."""
    from pytest_ocrparity.report.document import Loads

    loaded = {record.side for record in records if isinstance(record, Loads)}
    candidates = [each for each in settings.candidates.values() if each.name in loaded]
    return candidates or (
        [] if "ocr_inference_model" in _replaced_fixtures(records) else list(settings.candidates.values())
    )


def parts_without_models(settings: Settings, records: Collection[Record] | None = None) -> list[str]:
    """Return a sentence for each part of a pipeline that a deployment has and this machine has no model for.

    Args:
        settings: those of the run.
        records: what tests left, for the candidates that they used; None for all candidates.
    """
    from pytest_ocrparity.artifacts.ocr_options import all_ocr_options, ocr_options_not_judged

    candidates = list(settings.candidates.values() if records is None else _used_candidates(settings, records))
    candidates += _page_candidate(settings, records)
    found: list[str] = []
    for candidate in candidates:
        values = candidate.values
        if values.get("api") != "PaddleOCR":
            continue
        with suppress(ModelError):  # loading the model says what is wrong with its files
            options = all_ocr_options(values.get("options"), values.get("options_file"), values.get("folder"))
            table = table_of(candidate.name)
            name = f"{candidate.name}: " if len(settings.candidates) > 1 or candidate.name == PAGE_SIDE else ""
            lines = ocr_options_not_judged(options, values.get("predict_options") or {})
            found += [in_table(f"{name}{line}", table) for line in lines]
    return found


def _page_candidate(settings: Settings, records: Collection[Record] | None) -> list[Candidate]:
    """Return the deployment that reads pages as a candidate, where its options stand in the settings and it is used."""
    is_used = records is None or any(getattr(each, "side", "") == PAGE_SIDE for each in records)
    if not settings.reads_pages or "factory" in settings.page or not is_used:
        return []
    finds = settings.first_candidate.values if settings.first_candidate else {}
    values = {"api": "PaddleOCR", **page_values(settings.page, finds), "folder": settings.root}
    return [Candidate(PAGE_SIDE, values, settings.tolerance)]


def golden_store_of_models(settings: Settings, kind: str = "model") -> GoldenStore:
    """Return a store of baselines for one run, which knows the digests of the reference's files that are present.

    `kind`: of one model, or of a "page", whose baselines lie in a folder of their own.
    """
    from pytest_ocrparity.artifacts.model_files import (
        find_export_files,
        fingerprint_export_files,
        fingerprint_model_file,
        fingerprint_training_files,
    )
    from pytest_ocrparity.files import earlier_file_digests
    from pytest_ocrparity.golden.store import GoldenStore

    fingerprint: Mapping[str, str] = {}
    earlier: Mapping[str, Collection[str]] = {}
    export: Mapping[str, str] = {}
    values = with_engine_setting(settings.first_candidate.values) if settings.first_candidate else {}
    with suppress(ModelError):  # the export's digests are information: its own fixture says what is wrong with it
        if "model_dir" in values:
            export = fingerprint_export_files(find_export_files(values["model_dir"]))
        elif "model_file" in values:
            export = fingerprint_model_file(values["model_file"])
    if settings.golden_reference == "train" and "config" in settings.train:
        train = settings.train
        fingerprint = fingerprint_training_files(train["config"], train.get("checkpoint"), train.get("paddleocr_root"))
        earlier = {"config": earlier_file_digests(train["config"])}
    if kind == PAGE_SIDE:
        fingerprint, earlier = _fingerprint_of_page(settings, fingerprint), {}
    given = {key: values.get(key) for key in ("options", "predict_options")}
    given |= {key: str(values[key]) for key in ("api", "factory", "options_file") if key in values}
    tolerances = [settings.tolerance, *(candidate.tolerance for candidate in settings.candidates.values())]
    return GoldenStore(
        settings.golden_dir / PAGES_FOLDER if kind == PAGE_SIDE else settings.golden_dir,
        root=settings.root,
        reference=settings.golden_reference,
        mode=settings.golden_mode,
        lossless=any(each["probability_maps.atol"].value == 0 for each in tolerances),
        fingerprint=fingerprint,
        earlier=earlier,
        options={"export": export, **given},
        settings=settings.file,
        is_described="config" in settings.train if settings.golden_reference == "train" else bool(settings.candidates),
        kind=kind,
    )


def _fingerprint_of_page(settings: Settings, detector: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of both trained models, by the names that a trained page gives them."""
    from pytest_ocrparity.artifacts.model_files import fingerprint_training_files

    lines: Mapping[str, str] = {}
    train = {} if settings.recognition is None else settings.recognition.train
    if settings.golden_reference == "train" and "config" in train:
        lines = fingerprint_training_files(train["config"], train.get("checkpoint"), train.get("paddleocr_root"))
    of_models = {DETECTION.name: detector, RECOGNITION.name: lines}
    return {f"{name} {part}": digest for name, parts in of_models.items() for part, digest in parts.items()}
