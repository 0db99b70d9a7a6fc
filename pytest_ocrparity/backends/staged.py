"""The base of all sides: runs a model stage by stage, records each stage, and caches traces.

Composes the stages of a detector or of a recogniser into a `Trace`, turns what they raise into `StageError`, and keeps
the last few traces.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.errors import ImageError, StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.stages import DETECTIONS, PROBABILITY_MAP, RECOGNITION, TEXT
from pytest_ocrparity.trace import Detections, Image, Recognition, Shape, Trace

MOST_TRACES, CACHE_BYTES = 2, 256 * 2**20
"""The traces kept per model, of 20 MB for a page of 960x960: that of the image that tests are about, and one more. The
plugin runs all tests of an image in a row. With eight, each array came to lie in cold memory, and a gate of pages took
3 % longer."""


class StagedSide(ABC):
    """Base of the sides that record after each step, whatever their model finds."""

    product: ClassVar[str]
    """The last stage: what the model returns."""

    def __init__(self, name: str, fingerprint: Mapping[str, str] | None = None) -> None:
        """Name the side for messages; `fingerprint` holds digests of the files that define it."""
        self.name = name
        self.fingerprint: Mapping[str, str] = dict(fingerprint or {})
        self._traces: OrderedDict[str, Trace] = OrderedDict()

    def _height(self) -> int | None:
        """Return the height in px of the network's input, where there is one alone."""
        return None

    @abstractmethod
    def preprocess(self, image: Image) -> Trace:
        """Run the stages up to the tensor; an exception ends the returned trace (`Trace.error`)."""

    @abstractmethod
    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the network's output that is decoded, for a (1, 3, h, w) tensor."""

    @abstractmethod
    def _with_product(self, trace: Trace) -> Trace:
        """Return a trace that holds a map with what the model returns."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, the parameters that take effect whatever the image."""

    def trace(self, image: Image) -> Trace:
        """Return the trace of an image, from the cache when its content was seen a moment ago.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        __tracebackhide__ = True
        try:
            return self._trace_of_content(image)
        except ImageError as error:  # its sentence says all; the way through our code does not help
            raise error.with_traceback(None) from None

    def trace_anew(self, image: Image) -> Trace:
        """Return the trace of an image that is run now, whatever was seen a moment ago; it is not kept.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        with self.surrounding():
            return replace(self._run_stages(image), image=name, image_sha256=hashlib.sha256(data).hexdigest())

    def _trace_of_content(self, image: Image) -> Trace:
        name, data = image_file_bytes(image)
        digest = hashlib.sha256(data).hexdigest()
        key = f"{digest} {name}"  # PaddleOCR reads by suffix, and messages name the file
        if key not in self._traces:
            while len(self._traces) >= MOST_TRACES or self._cached_bytes() > CACHE_BYTES:
                self._traces.popitem(last=False)
            with self.surrounding():  # around all stages, as putting the process back takes a millisecond
                trace = replace(self._run_stages(image), image=name, image_sha256=digest)
            if trace.error is not None:
                return trace  # what stopped it, such as too little memory, may be over when the next test asks
            self._traces[key] = trace
        self._traces.move_to_end(key)
        return self._traces[key]

    def _cached_bytes(self) -> int:
        return sum(trace.nbytes for trace in self._traces.values())

    def _run_stages(self, image: Image) -> Trace:
        trace = replace(self.preprocess(image), source=self)
        if trace.error is not None or trace.tensor is None or not self._can_go_on(trace):
            return trace
        try:
            trace = replace(trace, probability_map=self.infer(trace.tensor))
            done = self._with_product(trace)
        except Exception as error:
            stage = PROBABILITY_MAP if trace.probability_map is None else self.product
            return replace(trace, error=self.stage_error(stage, error), parameters=self._effective_parameters(trace))
        return replace(done, parameters=self._effective_parameters(trace))

    def _can_go_on(self, trace: Trace) -> bool:
        """Tell whether a trace with a tensor holds what the stages after it need."""
        return True

    def _effective_parameters(self, trace: Trace) -> dict[str, Mapping[str, Any]]:
        """Merge what is always in effect with what this image's preprocessing recorded."""
        return {**self.parameters, **trace.parameters}

    @property
    def code(self) -> str:
        """The class that runs, which is part of a side's identity."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def surrounding(self) -> AbstractContextManager[None]:
        """Return what all stages run in: what keeps a framework from changing the process."""
        return isolated()

    def stage_error(self, stage: str, error: BaseException) -> StageError:
        """Wrap what a stage raised."""
        # Both libraries' resize catches whatever is raised in it, and raises another error from there.
        for each in (error, error.__context__):
            if isinstance(each, StageError):
                return each
        wrapped = StageError(stage, self.describe_error(error))
        wrapped.__cause__ = error
        return wrapped

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised, in the words of messages."""
        if isinstance(error, SystemExit):  # with exit status 0
            return "PaddleOCR printed the sizes it could not resize to and called sys.exit"
        return f"{type(error).__name__}: {str(error).strip() or type(error).__name__}"


class StagedPipeline(StagedSide):
    """Base of the detectors that record after each step."""

    product = DETECTIONS

    @abstractmethod
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes of a map in source-image pixels."""

    def _can_go_on(self, trace: Trace) -> bool:
        return trace.shape is not None

    def _with_product(self, trace: Trace) -> Trace:
        assert trace.probability_map is not None and trace.shape is not None
        return replace(trace, detections=self.postprocess(trace.probability_map, trace.shape))


class StagedRecogniser(StagedSide):
    """Base of the recognisers that record after each step."""

    product = TEXT
    task: Final = RECOGNITION.name

    @abstractmethod
    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        """Return the text of a (1, T, C) map."""

    def _with_product(self, trace: Trace) -> Trace:
        assert trace.probability_map is not None
        return replace(trace, recognition=self.read_map(trace.probability_map))
