"""RapidOCR's recogniser on a user's ONNX file as a side. Nothing of the processing is done here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.dictionary import dictionary_fingerprint, dictionary_misfit
from pytest_ocrparity.backends.effective_parameters import effective_text_parameters
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.line_probes import probed_classes, probed_line_widths, probed_width_rule
from pytest_ocrparity.backends.memory_guard import Watched
from pytest_ocrparity.backends.rapidocr.engine import KEYS, RECOGNISER, Run
from pytest_ocrparity.backends.rapidocr.rapid_side import RapidSide
from pytest_ocrparity.backends.replacing import Stopped, replaced
from pytest_ocrparity.backends.staged import StagedRecogniser
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.files import image_file_bytes, image_to_hand_on
from pytest_ocrparity.stages import DECODE, PROBABILITY_MAP, RESIZE
from pytest_ocrparity.trace import Decoded, Image, Recognition, Trace, trace_copy

REORDERING = "reorder_bidi_for_display"
"""RapidOCR's function that puts the characters of an Arabic text into another order."""


class RapidRecogniser(RapidSide, StagedRecogniser):
    """RapidOCR with its recogniser on a user's file and dictionary, run one line at a time without its detector."""

    part = RECOGNISER

    def __init__(self, model_file: Path, options: Mapping[str, Any] | None = None, **given: Any) -> None:
        """Load RapidOCR on an `.onnx` file, see `RapidSide`, and hold its dictionary against the network's classes.

        Raises:
            ModelError: it does not load, or the dictionary has another number of entries than the network takes.
        """
        super().__init__(model_file, options, **given)
        self._rules: dict[tuple[int, ...], str | None] = {}
        self._is_in_file = bool(self._session.have_key())
        if not self._is_in_file:
            self.fingerprint = {**self.fingerprint, **dictionary_fingerprint(Path(self._options[KEYS]))}
        self._classes = probed_classes(lambda: self._run_network(np.zeros((1, *self._shape), np.float32)))
        entries = len(self._decoder.character) - 1  # a space is always appended
        if self._classes is not None and self._classes - 1 not in (entries, entries - 1):
            raise ModelError(self._misfit(entries - 1, self._classes))

    def _misfit(self, entries: int, classes: int) -> str:
        text = dictionary_misfit(
            f"the dictionary of RapidOCR, {self.dictionary_place},", entries, str(self._file), classes
        )
        if self._is_in_file:
            return f"{text}: write that of the training there, or take it out and set inference.options.{KEYS}"
        return f"{text}: set inference.options.{KEYS} to the dictionary of the training"

    @property
    def dictionary_place(self) -> str:
        """What holds the characters, in the words of fixes."""
        if self._is_in_file:
            return f"character in the metadata of {self._file}, which RapidOCR reads in the place of {KEYS}"
        return f"{KEYS} = {self._options[KEYS]}"

    @property
    def _decoder(self) -> Any:
        return self._model.postprocess_op

    @property
    def _shape(self) -> tuple[int, int, int]:
        channels, height, width = (int(side) for side in self._model.rec_image_shape)
        return channels, height, width

    def _height(self) -> int | None:
        return self._shape[1]

    def _recorded(self) -> AbstractContextManager[Run]:
        return recorded_line(self._engine)

    def _with_resized(self, trace: Trace, run: Run, watched: Watched) -> Trace:
        if run.tensor is None:
            return trace
        return self._with_widths(trace, run, run.tensor, watched.picture)

    def _with_widths(self, trace: Trace, run: Run, tensor: npt.NDArray[Any], picture: Any) -> Trace:
        parameters = self._preprocessing_parameters(run)
        parameters[RESIZE] |= probed_line_widths(tensor, picture)
        resize = None if picture is None else trace_copy(picture)
        return replace(trace, resize=resize, parameters={**trace.parameters, **parameters})

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run lines as RapidOCR runs those of a page: by their ratio, as many at once as it is set to.

        Raises:
            NotEnoughMemory: they would take more memory than there is.
            Exception: whatever RapidOCR raises.
        """
        runs = list[Run]()
        with isolated(), self._memory.watching(None) as watched:
            for image in images:
                run = Run(decoded=self._engine.load_img(image_to_hand_on(image)))
                run.page, run.steps = self._engine.preprocess_img(run.decoded)
                runs.append(run)
            lines = [run.page.copy() for run in runs]  # each an object of its own
            with recorded_lines(self._engine, watched, self._admit) as seen:
                found = self._engine.recognize_txt(lines)
        traces = []
        for index, (image, run) in enumerate(zip(images, runs, strict=True)):
            place = next(place for place, line in enumerate(seen.lines) if line is lines[index])
            tensor, output = seen.tensors[place], seen.maps[place]
            trace = Trace(
                pipeline=self.name,
                image=image_file_bytes(image)[0],
                decode=Decoded.of(run.decoded, "BGR"),
                tensor=tensor,
                probability_map=output,
                recognition=Recognition(found.txts[index], found.scores[index]),
                parameters=self.parameters,
                source=self,
            )
            traces.append(self._with_widths(trace, run, tensor, seen.pictures[place]))
        return traces

    def _admit(self, batch: npt.NDArray[Any]) -> None:
        self._memory.admit_tensor(batch.shape[2:], PROBABILITY_MAP, count=len(batch))

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return what RapidOCR reads in a (1, T, C) map. Its code runs to its end, on a blank line."""
        output, line = np.array(probability_map), np.zeros((*self._shape[1:], 3), np.uint8)
        with isolated(), recorded_line(self._engine, session=lambda _: output):
            found = self._engine(line)
        return Recognition(found.txts[0], found.scores[0])

    @property
    def characters(self) -> Sequence[str]:
        """The characters of the network's classes, from class 1 on; class 0 is the blank."""
        return tuple(self._decoder.character[1 : self._classes])

    def text_orders(self) -> Mapping[str, Callable[[str], str]]:
        """Return by name how RapidOCR can put the characters of a text into another order, whether it does so here."""
        with isolated():
            from rapidocr.utils.utils import reorder_bidi_for_display
        return {REORDERING: lambda text: str(reorder_bidi_for_display((text,))[0])}

    def _preprocessing_parameters(self, run: Run | None = None) -> dict[str, dict[str, Any]]:
        shape = self._shape
        if shape not in self._rules:
            with isolated():
                self._rules[shape] = probed_width_rule(self._tensor_of, *shape[1:])
        resize = {"rule": self._rules[shape], "image_shape": list(shape), "max_width": None}
        return {
            DECODE: {"img_mode": "BGR", "ignore_orientation": False},
            RESIZE: {**resize, **self._scaled_before(run)},
        }

    def _tensor_of(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        with recorded_line(self._engine) as run:
            self._engine(pixels)
        return np.asarray(run.tensor[0])

    @property
    def _product_parameters(self) -> Mapping[str, Any]:
        with isolated():
            from rapidocr.ch_ppocr_rec.main import RTL_LANGS, normalize_lang
        is_reordered = normalize_lang(self._model.cfg.lang_type) in RTL_LANGS
        return effective_text_parameters(self.characters, REORDERING if is_reordered else None)


@contextmanager
def recorded_line(engine: Any, *, session: Callable[[Any], Any] | None = None) -> Iterator[Run]:
    """Run the block with what records a run, which ends before the network.

    Args:
        engine: a `RapidOCR`.
        session: runs in the place of the network, to the end of the run.
    """
    run, load, prepare = Run(), engine.load_img, engine.preprocess_img

    def loading(image: Any) -> Any:
        run.decoded = load(image)
        return run.decoded

    def preparing(image: Any) -> Any:
        run.page, run.steps = prepare(image)
        return run.page, run.steps

    def stopping(given: Any) -> Any:
        run.tensor = given
        raise Stopped

    network = stopping if session is None else session
    with (
        replaced(engine, load_img=loading, preprocess_img=preparing),
        replaced(engine.text_rec, session=network),
    ):
        yield run


@dataclass
class Lines:
    """What ran at once, line by line: the line that was given, and its picture, its tensor and its map."""

    lines: list[Any] = field(default_factory=list)
    pictures: list[Any] = field(default_factory=list)
    tensors: list[Any] = field(default_factory=list)
    maps: list[Any] = field(default_factory=list)


@contextmanager
def recorded_lines(engine: Any, watched: Watched, admit: Callable[[Any], None]) -> Iterator[Lines]:
    """Run the block with what records lines, in the order in which RapidOCR runs them.

    Args:
        engine: a `RapidOCR`.
        watched: what its resizes make.
        admit: is given each batch before the network runs on it.
    """
    seen, recogniser = Lines(), engine.text_rec
    resize, real = recogniser.resize_norm_img, recogniser.session

    def resizing(line: Any, *given: Any) -> Any:
        made = resize(line, *given)
        seen.lines.append(line)
        seen.pictures.append(watched.picture)
        return made

    def running(batch: Any) -> Any:
        admit(batch)
        output = np.array(real(batch))
        seen.tensors += [batch[index : index + 1].copy() for index in range(len(batch))]
        seen.maps += [output[index : index + 1].copy() for index in range(len(output))]
        return output

    with replaced(recogniser, resize_norm_img=resizing, session=running):
        yield seen
