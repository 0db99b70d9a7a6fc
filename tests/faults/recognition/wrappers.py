"""Wrappers around the real deployed recogniser: engines that go wrong, batches, memories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from faults.recognition import hooks
from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.backends.staged import StagedRecogniser
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.trace import Image


class Wrapper(StagedRecogniser):
    """A recogniser that hands everything on to another one."""

    def __init__(self, inner: Any) -> None:
        super().__init__("port")
        self.inner = inner

    def preprocess(self, image: Image) -> Trace:
        trace: Trace = self.inner.preprocess(image)
        return replace(trace, pipeline=self.name, source=self)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made: npt.NDArray[np.float32] = self.inner.infer(tensor)
        return made

    def read_map(self, probability_map: npt.NDArray[np.float32]) -> Recognition:
        made: Recognition = self.inner.read_map(probability_map)
        return made

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        known: Mapping[str, Mapping[str, Any]] = self.inner.parameters
        return known

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Wrapper:
        return type(self)(self.inner.varied(changes))

    def fresh(self) -> Wrapper:
        """Return it as it is before its first line."""
        return type(self)(self.inner)


class BrokenPass(Wrapper):
    """E1: kernels that are wrong where text is, with oneDNN and without, but not in the plain executor."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        worse = np.where(made > 0.5, made * np.float32(0.7), made)
        return np.asarray(worse / worse.sum(axis=2, keepdims=True), np.float32)

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("engine.onednn", "oneDNN off", self.infer)
        yield Alternative("engine.optimization", "no engine pass", self.inner.infer)


class DampsMap(BrokenPass):
    """A port whose own code changes the map that its engine returns."""

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("network.own_code", "the bare engine", self.inner.infer)


class Smooths(DampsMap):
    """The same: each timestep becomes its mean with its neighbours."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(hooks.smoothed(self.inner.infer(tensor)), np.float32)


class Racing(Wrapper):
    """An engine that answers otherwise each time."""

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made = super().infer(tensor)
        noisy = np.clip(made + np.random.default_rng().uniform(0, 0.2, made.shape), 0, None)
        return np.asarray(noisy / noisy.sum(axis=2, keepdims=True), np.float32)


class Jitters(Wrapper):
    """Preprocessing that is another one each time: a random shift of the brightness."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, tensor=trace.tensor + np.float32(np.random.default_rng().uniform(0.02, 0.2)))


class KeepsColumns(Wrapper):
    """A buffer that keeps the columns of the line before where this one has none."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.buffer: npt.NDArray[np.float32] = np.zeros((1, 3, 32, 0), np.float32)

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        columns = max(trace.tensor.shape[3], self.buffer.shape[3])
        whole = np.zeros((1, 3, 32, columns), np.float32)
        whole[..., : self.buffer.shape[3]] = self.buffer
        whole[..., : trace.tensor.shape[3]] = trace.tensor
        self.buffer = whole
        widths = {**trace.parameters["resize"], "width": columns}
        return replace(trace, tensor=whole, parameters={**trace.parameters, "resize": widths})


class KeepsState(Wrapper):
    """An engine whose recurrent state goes on from the line before."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.before: npt.NDArray[np.float32] | None = None

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made, before = super().infer(tensor), self.before
        self.before = made
        if before is None:
            return made
        steps = min(4, before.shape[1], made.shape[1])
        mixed = made.copy()
        mixed[:, :steps] = 0.3 * made[:, :steps] + 0.7 * before[:, -steps:]
        return mixed


class InBatch(Wrapper):
    """`TextRecognition.predict` on this line and a wide one as one batch, as an application has them."""

    other = "wide_receipt.png"

    def __init__(self, inner: Any, folder: Path) -> None:
        super().__init__(inner)
        self.folder = folder

    def _run_stages(self, image: Image) -> Trace:
        given = image if isinstance(image, np.ndarray) else Path(image)
        traces: list[Trace] = self.inner.trace_batch([given, self.folder / self.other])
        return replace(traces[0], pipeline=self.name, source=self)

    def preprocess(self, image: Image) -> Trace:
        return replace(self._run_stages(image), probability_map=None, recognition=None)

    def trace_batch(self, images: Sequence[Image]) -> list[Trace]:
        """Run a batch of the caller's."""
        made: list[Trace] = self.inner.trace_batch(images)
        return [replace(each, pipeline=self.name, source=self) for each in made]

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Wrapper:
        return type(self)(self.inner.varied(changes), self.folder)

    def fresh(self) -> Wrapper:
        return type(self)(self.inner, self.folder)


def used(kind: type[Wrapper], line: Path) -> Any:
    """Return a maker of a wrapper that has run another line before."""

    def make(inner: Any) -> Wrapper:
        made = kind(inner)
        made.trace(line)
        return made

    return make
