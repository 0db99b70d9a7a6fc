"""The trained recogniser, run by PaddleOCR's own training-side code as `tools/eval.py` runs it.

Nothing of the processing is done here. A line is as wide as the evaluation makes it: `tools/infer_rec.py` follows
another rule, unless the YAML file sets `eval_mode: true`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.dictionary import DEFAULT, KEY, dictionary_misfit, find_dictionary, named_dictionary
from pytest_ocrparity.artifacts.families import RECOGNISERS
from pytest_ocrparity.artifacts.model_files import TrainingFiles
from pytest_ocrparity.artifacts.recogniser_configs import RESIZES, recogniser_config_shape
from pytest_ocrparity.backends.effective_parameters import effective_text_parameters
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.line_probes import SQUEEZED, probed_classes, probed_line_widths, probed_width_rule
from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.ppocr.network import MisfitError, TextNetwork, build_network
from pytest_ocrparity.backends.ppocr.operators import Parts, build_ppocr_operators, reading_operators, without_global
from pytest_ocrparity.backends.ppocr.trained_side import TrainedSide
from pytest_ocrparity.backends.staged import StagedRecogniser
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Image, Recognition, Trace, trace_copy

OTHER_HEADS: Final = {"SARLabelDecode": 2, "NRTRLabelDecode": 3}
"""The heads beside CTC's in a MultiHead, and how many classes each has more than that one."""

LEAKING: Final = {"image_shape": None, "infer_mode": False, "eval_mode": False, "padding": True}
"""What `Global` can set of an operator that resizes lines, and what is so without it."""


class TrainedRecogniser(TrainedSide, StagedRecogniser):
    """A trained recogniser with a CTC head."""

    family = RECOGNISERS

    @classmethod
    def _find_dictionary(cls, yml: Mapping[str, Any], config: Path, paddleocr_root: Path | None) -> Path | None:
        return find_dictionary(yml, config, paddleocr_root)

    @classmethod
    def _line_height(cls, files: TrainingFiles) -> int | None:
        return _image_shape(files)[1]

    @classmethod
    def _build(cls, files: TrainingFiles, folder: Path | None, device: str) -> Parts:
        decoder = build_decoder(files)
        classes = len(decoder.character)
        small = (1, *_image_shape(files))
        architecture = with_classes(files.yml["Architecture"], classes)
        try:
            network = build_network(architecture, files, folder=folder, device=device, kind=TextNetwork, small=small)
        except MisfitError as error:
            stored = _other_number_of_classes(error, classes)
            if stored is None:
                raise
            raise ModelError(_misfit(files, decoder, str(files.checkpoint), stored)) from error
        found = probed_classes(lambda: network.run(np.zeros(network.small, np.float32)))
        if found not in (None, classes):
            raise ModelError(_misfit(files, decoder, f"the network of {files.checkpoint}", found))
        return _with_resize(build_ppocr_operators(files.yml, network, files.config, decoder))

    def _parts_under(self, yml: Mapping[str, Any]) -> Parts:
        parts = build_ppocr_operators(yml, self.network, self.files.config, self._parts.post_process)
        return _with_resize(parts)

    def _record_resize(self, trace: Trace, state: Mapping[str, Any], watched: Watched) -> Trace:
        resize = {**trace.parameters[RESIZE], **probed_line_widths(state["image"], watched.picture)}
        picture = None if watched.picture is None else trace_copy(watched.picture)
        return replace(trace, resize=picture, parameters={**trace.parameters, RESIZE: resize})

    def leaked(self) -> dict[str, str]:
        """Return the keys of the YAML file's `Global` that change how lines are resized, each with its stage."""
        given, own = self.files.yml.get("Global") or {}, self.written.get(RESIZE, {})
        changed = (key for key, usual in LEAKING.items() if key in given and given[key] != own.get(key, usual))
        return dict.fromkeys(changed, RESIZE)

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return what the YAML file's post-process reads in a (1, T, C) map."""
        decoder, given = self._parts.post_process, np.asarray(probability_map)
        with isolated():
            names = getattr(decoder, "model_name", None)
            if names is None:
                ((text, score),) = decoder(given)
            else:  # a Distillation's takes the outputs of its networks by name
                output = given if decoder.key is None else {decoder.key: given}
                ((text, score),) = decoder(dict.fromkeys(names, output))[names[0]]
        return Recognition(text, score)

    @property
    def characters(self) -> Sequence[str]:
        """The characters of the network's classes, from class 1 on; class 0 is the blank."""
        return tuple(self._parts.post_process.character[1:])

    def text_orders(self) -> Mapping[str, Callable[[str], str]]:
        """Return by name how PaddleOCR puts the characters of a text into another order, whether it does so here."""
        return {"pred_reverse": self._parts.post_process.pred_reverse}

    def line_as_wide(self, image: Image, shape: tuple[int, int]) -> Trace:
        """Run the Eval operators with `eval_mode: true`, for an experiment, see `contract.ResizesLines`."""
        return self._preprocess_resizing(image, {"image_shape": [3, *shape], "eval_mode": True})

    def line_stretched(self, image: Image, size: tuple[int, int]) -> Trace:
        """Run the Eval operators with `padding: false`, for an experiment, see `contract.ResizesLines`."""
        return self._preprocess_resizing(image, {"image_shape": [3, *size], "padding": False})

    def as_deployed(self) -> TrainedRecogniser:
        """Return this side with lines as wide as a deployment makes them: with `eval_mode: true`.

        It stays as it is where its lines are as wide already, and where it stretches them, which no deployment does.
        """
        if self._parts.parameters[RESIZE]["rule"] != SQUEEZED:
            return self
        yml = {**self.files.yml, "Eval": copy.deepcopy(self.files.yml["Eval"])}
        for entry in yml["Eval"]["dataset"]["transforms"]:
            if RESIZES[0] in entry:
                entry[RESIZES[0]] = {**(entry[RESIZES[0]] or {}), "eval_mode": True}
        return self._rebuilt(yml)

    def _preprocess_resizing(self, image: Image, arguments: Mapping[str, Any]) -> Trace:
        """Run the Eval operators with `RecResizeImg` and these arguments alone in the place of what resizes."""
        yml = without_global(self.files.yml, LEAKING)
        yml = {**yml, "Eval": copy.deepcopy(yml["Eval"])}
        dataset = yml["Eval"]["dataset"]
        dataset["transforms"] = [
            {RESIZES[0]: dict(arguments)} if set(RESIZES) & entry.keys() else entry for entry in dataset["transforms"]
        ]
        return self._rebuilt(yml).preprocess(image)

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        reverses = self._parts.post_process.reverse
        return effective_text_parameters(self.characters, "pred_reverse" if reverses else None)


def build_decoder(files: TrainingFiles) -> Any:
    """Build the post-process of a recogniser with `Global` merged into it, as `tools/eval.py` does.

    Raises:
        ModelError: PaddleOCR refuses the YAML file.
    """
    from ppocr.postprocess import build_post_process

    section, settings = (copy.deepcopy(dict(files.yml.get(key) or {})) for key in ("PostProcess", "Global"))
    for place in (section, settings):
        if KEY in place and files.dictionary is not None:
            place[KEY] = str(files.dictionary)
    with reading_operators(files.config):
        decoder = build_post_process(section, settings)
    named = named_dictionary(files.yml)
    # PaddleOCR reverses texts if this word stands in the path; the folder that it was found in is not the user's path.
    decoder.reverse = named is not None and "arabic" in named[1]
    return decoder


def with_classes(architecture: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Return an Architecture whose heads have as many classes as the dictionary asks for, as PaddleOCR's tools do.

    Args:
        architecture: that of the YAML file.
        classes: those of a CTC head: the characters and the blank.
    """
    changed = copy.deepcopy(dict(architecture))
    networks = changed["Models"].values() if changed.get("algorithm") == "Distillation" else [changed]
    for each in networks:
        head = each.get("Head") if isinstance(each, dict) else None
        if not isinstance(head, dict):  # one that the user's own function builds
            continue
        if head.get("name") == "MultiHead":
            others = {name: classes + more for name, more in OTHER_HEADS.items()}
            head["out_channels_list"] = {"CTCLabelDecode": classes, **others}
        else:
            head["out_channels"] = classes
    return changed


def _image_shape(files: TrainingFiles) -> tuple[int, int, int]:
    return recogniser_config_shape(files.yml["Eval"]["dataset"]["transforms"], files.config)


def _with_resize(parts: Parts) -> Parts:
    """Return the parts with the parameters of their resize, of which the rule is that which it follows."""
    resize: Any = [run for name, run in parts.operators if name in RESIZES][-1]
    shape = [int(side) for side in resize.image_shape]
    with isolated():
        rule = probed_width_rule(lambda line: resize({"image": line})["image"], *shape[1:])
    return replace(
        parts, parameters={**parts.parameters, RESIZE: {"rule": rule, "image_shape": shape, "max_width": None}}
    )


def _other_number_of_classes(error: MisfitError, classes: int) -> int | None:
    """Return how many classes of a CTC head a checkpoint has, where nothing else keeps it from fitting; else None."""
    wanted = {classes, *(classes + more for more in OTHER_HEADS.values())}
    found = set()
    for stored, own in error.shapes.values():
        sides = [(a, b) for a, b in zip(stored, own, strict=False) if a != b]
        if len(stored) != len(own) or len(sides) != 1 or sides[0][1] not in wanted:
            return None
        found.add(sides[0][0] - sides[0][1])
    return classes + found.pop() if len(found) == 1 else None


def _misfit(files: TrainingFiles, decoder: Any, model: str, classes: int) -> str:
    """Say that the dictionary is not that with which the network was trained, and what to set."""
    path, characters = files.dictionary, len(decoder.character) - 1
    merged = {**files.yml["PostProcess"], **(files.yml.get("Global") or {})}
    has_space = path is not None and bool(merged.get("use_space_char"))
    named = named_dictionary(files.yml)
    what = f"the default dictionary, {DEFAULT}," if path is None else f"the dictionary {path}"
    entries = characters - has_space
    if entries == classes - 2 and path is not None and not has_space:
        way_out = f"in {files.config}, set Global.use_space_char: true"
    elif entries == classes - 1 and has_space:
        way_out = f"in {files.config}, set Global.use_space_char: false"
    else:
        key = f"Global.{KEY}" if named is None else named[0]
        way_out = f"in {files.config}, set {key} to the dictionary with which it was trained"
    return f"{dictionary_misfit(what, entries, model, classes)}: {way_out}"
