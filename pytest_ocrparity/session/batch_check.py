"""Runs in batches what the tests of a process compared, before its last test ends and its fixtures with it.

A batch needs several images, and a test has one. So each candidate runs its images in batches once its tests are done,
and each image is compared with itself alone. Which images share a batch depends on the settings alone, and not on which
tests a process of xdist ran: images of the settings that other processes compared complete a batch here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_ocrparity.contract import (
    HasTrainedNetwork,
    Pipeline,
    ReadsMaps,
    RunsBatches,
    offered,
    pipeline_of,
    trace_anew,
)

if TYPE_CHECKING:
    from pytest_ocrparity.compare.run_verdict import Fault
    from pytest_ocrparity.diagnose.batch_runs import BatchRun
    from pytest_ocrparity.diagnosis import Diagnosis
    from pytest_ocrparity.report.document import Batched, Record
    from pytest_ocrparity.report.table import Tally
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.tolerance import Tolerance
    from pytest_ocrparity.trace import Trace

Shape = tuple[int, ...]
MOST_DIAGNOSES: Final = 3
"""How many images of a side are diagnosed that differ in a batch; each takes two batches and a few runs more, or where
it does not come again up to six of each."""


@dataclass
class _Heard:
    """An image that a test compared; `shape` is its tensor's, `why_not` why it can't run again."""

    label: str
    shape: Shape
    tolerance: Tolerance
    why_not: str = ""
    is_judged: bool = False


@dataclass
class _Side:
    """A candidate that tests compared, with its images by their files."""

    pipeline: Pipeline
    name: str
    asked: int
    heard: dict[str, _Heard] = field(default_factory=dict)
    diagnoses: int = 0


class Batches:
    """The batches of one process."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Begin with nothing; `say` prints a line about work that takes a while."""
        self._settings, self._say = settings, say
        self._sides: dict[int, _Side] = {}
        self._records: list[Record] = []

    def hear(self, candidate: Trace, tolerance: Tolerance, asked: int, prefix: str = "") -> None:
        """Take a candidate's trace that an assertion compared; `asked` is how many images it runs at once.

        `prefix` begins the names of its settings, as those of a detector and a recogniser may be called the same.
        """
        source = pipeline_of(candidate)
        if asked < 2 or source is None or candidate.error is not None or offered(source, HasTrainedNetwork) is not None:
            return
        side = self._sides.setdefault(id(source), _Side(source, f"{prefix}{candidate.pipeline}", asked))
        file = os.path.abspath(candidate.image)  # noqa: PTH100 - a link keeps its own name
        why_not = "" if Path(file).is_file() else "images that are no files are not kept to run again"
        shape = () if candidate.tensor is None else candidate.tensor.shape
        known = side.heard.setdefault(file, _Heard(candidate.label, shape, tolerance, why_not))
        known.tolerance = tolerance  # of the last test that judged it

    def run(self) -> list[Record]:
        """Run what was heard since the last time in batches; return the records of all of it so far."""
        for side in self._sides.values():
            if not all(each.is_judged for each in side.heard.values()):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a user's `filterwarnings = error` is meant for tests
                    try:
                        self._records += self._judge(side)
                    except (Exception, SystemExit) as error:  # this runs in a test's teardown, which is to go on
                        text = f"batches could not be made: {type(error).__name__}: {error}"
                        self._records += [_record(side, each, size=0, is_same=False, text=text)
                                          for each in side.heard.values() if not each.is_judged]  # fmt: skip
                for each in side.heard.values():
                    each.is_judged = True
        return self._records

    def _judge(self, side: _Side) -> list[Record]:
        from pytest_ocrparity.backends.batches import can_trace_batches, parts_for_batches
        from pytest_ocrparity.report.document import BatchLimit

        if not can_trace_batches(side.pipeline):
            *parts, last = parts_for_batches(side.pipeline)
            why_not = f"{side.name} has neither trace_batch nor {', '.join(parts)} and {last}"
            return [_record(side, each, size=0, text=why_not) for each in side.heard.values()]
        self._say(f"{side.name} runs images in batches of {side.asked}")
        found: list[Record] = [
            _record(side, each, size=0, text=each.why_not) for each in side.heard.values() if each.why_not
        ]
        groups = self._groups(side)
        for files in groups:
            new = [file for file in files if file in side.heard and not side.heard[file].is_judged]
            if len(files) == 1:
                found += [_record(side, side.heard[file], size=1) for file in new]
            for chunk in _chunks(files, side.asked):
                mine = [file for file in chunk if file in new]
                new = [file for file in new if file not in mine]
                if mine and len(files) > 1:
                    found += self._run(side, chunk, mine)[0]
        mixed = [next((file for file in files if file in side.heard), None) for files in groups]
        pair = [file for file in mixed if file is not None][:2]
        if len(pair) == 2 and offered(side.pipeline, RunsBatches) is not None:
            tried, stopped = self._run(side, pair, pair)
            if stopped:
                text = (
                    f"images whose tensors differ in size do not run as one batch ({stopped}); batch those of one size"
                )
                found.append(BatchLimit(side=side.name, text=text))
            else:
                found += [each for each in tried if not each.is_same]
        return found

    def _groups(self, side: _Side) -> list[list[str]]:
        """Return the files whose tensors have one shape, in the order of their names.

        With an image of the settings, all of the settings' take part, of which tests may have run elsewhere. A
        recogniser's own batch takes lines of any width, so that all are one group.
        """
        shapes = {file: each.shape for file, each in side.heard.items() if not each.why_not}
        globs = ([str(path) for path in part.image_paths()] for part in self._settings.parts)
        for settings in (each for each in globs if not shapes.keys().isdisjoint(each)):
            for file in settings:
                if file not in shapes and (shape := _tensor_shape(side.pipeline, file)):
                    shapes[file] = shape
        is_one = all(offered(side.pipeline, own) is not None for own in (ReadsMaps, RunsBatches))
        groups: dict[Shape, list[str]] = {}
        for file in sorted(shapes):
            groups.setdefault(() if is_one else shapes[file], []).append(file)
        return list(groups.values())

    def _run(self, side: _Side, files: Sequence[str], mine: Sequence[str]) -> tuple[list[Batched], str]:
        """Run images alone and as one batch; return the records of some of them, and what stopped the batch."""
        from pytest_ocrparity.diagnose.batch_runs import BatchRun

        alone: dict[str, Trace] = {}
        for file in files:
            try:
                trace = trace_anew(side.pipeline, file)
            except (Exception, SystemExit):  # what stops alone is what its own test is about
                continue
            if trace.error is None:
                alone[file] = trace
        text = f"{side.name} stops on it alone, where it ran before"
        lost = [_record(side, side.heard[file], size=0, text=text) for file in mine if file not in alone]
        ran, running = [file for file in mine if file in alone], list(alone)
        if len(running) < 2:
            text = "no other image of its batch runs alone"
            return [*lost, *(_record(side, side.heard[file], size=0, text=text) for file in ran)], ""
        try:
            run = BatchRun.of(side.pipeline, running, list(alone.values()))
            return [*lost, *(self._compared(side, run, running.index(file), side.heard[file]) for file in ran)], ""
        except (Exception, SystemExit) as error:
            stopped = " ".join(str(error).split()) or type(error).__name__
            text = f"a batch of {len(running)} stops: {stopped}"
            records = [_record(side, side.heard[file], size=len(running), is_same=False, text=text) for file in ran]
            return [*lost, *records], stopped

    def _compared(self, side: _Side, run: BatchRun, index: int, heard: _Heard) -> Batched:
        """Return the record of an image in a batch against itself alone."""
        from pytest_ocrparity.explain import headline

        comparisons, size = run.comparisons(index, heard.tolerance), len(run.images)
        failing = [each for each in comparisons if not each.is_match]
        measures = [each.measure("probability_maps.atol") for each in comparisons]
        amounts = next(({"largest": each.value, "limit": each.limit} for each in measures if each is not None), {})
        if not comparisons:
            text = "the batch returns no stage that the image alone has: nothing was compared"
            return _record(side, heard, size=size, is_same=False, text=text)
        if not failing:
            if run.lacks_boxes(index):
                text = "the batch returns no boxes, which the image alone has: they were not compared"
                return _record(side, heard, size=size, is_same=False, text=text, **amounts)
            return _record(side, heard, size=size, **amounts)
        cause = ""
        if side.diagnoses < MOST_DIAGNOSES and self._settings.diagnosis_seconds > 0:
            side.diagnoses += 1
            cause = "; and ".join(_cause_text(each) for each in run.diagnose(index, heard.tolerance))
        return _record(side, heard, size=size, is_same=False, text=headline(failing[0]), cause=cause, **amounts)


def _cause_text(diagnosis: Diagnosis) -> str:
    """Return a cause in one line, with what shows it."""
    texts = [f"{diagnosis.cause}, {diagnosis.summary}", *diagnosis.evidence, *diagnosis.noticed]
    return "; ".join([*texts, *([f"fix: {diagnosis.fix.text}"] if diagnosis.fix else [])])


def _tensor_shape(pipeline: Pipeline, file: str) -> Shape:
    """Return the shape of an image's tensor, nothing where it does not get as far: its own test says why."""
    try:
        trace = pipeline.preprocess(file)
    except Exception:  # whatever a user's own code raises: no test of this process may have asked for this image
        return ()
    return () if trace.tensor is None else trace.tensor.shape


def _chunks(files: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield files in batches of one size: the last takes as many from the one before as it lacks."""
    for start in range(0, len(files), size):
        yield files[max(0, min(start, len(files) - size)) :][:size]


def _record(side: _Side, heard: _Heard, **values: Any) -> Batched:
    from pytest_ocrparity.report.document import Batched

    return Batched(side=side.name, image=heard.label, asked=side.asked, **values)


def batch_check_result(
    settings: Settings, tally: Tally, *, is_whole: bool, is_partial: bool = False
) -> tuple[list[Fault], list[str]]:
    """Return the faults that batches show, and what else is to be said of them, once all processes have ended.

    Args:
        settings: the run's.
        tally: what its tests left.
        is_whole: whether it came to its end, as batches run after the last test.
        is_partial: whether it left out what passed before, so that an image may have lost those of its batch.
    """
    from pytest_ocrparity.compare.run_verdict import Fault, verdict_on_batch_sizes, verdict_on_batches
    from pytest_ocrparity.report.document import Batched

    records = tally.all(Batched)
    if is_partial:
        return verdict_on_batches([each for each in records if each.size > 1 or not each.is_same]), []
    if not settings.has_batches or not tally.compared or records:
        return verdict_on_batches(records), [f"WARNING: {each}" for each in verdict_on_batch_sizes(records)]
    if not is_whole:
        return [], ["batches were asked for, and none ran: the run stopped before its last test had ended"]
    text = (
        "batches were asked for, and none ran: no candidate that tests compared can be run again; compare the trace "
        "that ocr_inference_model.trace(image) returns"
    )
    return [Fault("batch", text)], []
