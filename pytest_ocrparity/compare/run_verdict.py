"""What only a whole run can show: limits that hold for all its images together, and that something was compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pytest_ocrparity.compare.characters import DICTIONARY
from pytest_ocrparity.comparison import ALLOWED_EMPTY, EMPTY, MATCHES, RECORDED, Comparison
from pytest_ocrparity.report.accuracy_lines import accuracy_names
from pytest_ocrparity.report.accuracy_record import AccuracyRecord
from pytest_ocrparity.report.batch_lines import batch_records_by_side
from pytest_ocrparity.report.dictionary_lines import dictionaries_text
from pytest_ocrparity.report.document import Batched, Evaluated, Golden, RecordedComparison, Used
from pytest_ocrparity.report.table import Sides, Tally
from pytest_ocrparity.stages import DETECTIONS, PAGE, TEXT, TaskSides
from pytest_ocrparity.tolerance import ACCURACY
from pytest_ocrparity.wording import number_of_images


class Fault(NamedTuple):
    """Why a run as a whole fails, whatever its tests said.

    `name` tells which rule it breaks, such as "compared" or the name of a limit; `sides` are those that it is about,
    whose difference can be diagnosed.
    """

    name: str
    text: str
    sides: TaskSides | None = None


NOTHING: Final = ("recorded", "compared")
"""Faults of runs that did nothing of what they were made for."""
WHERE_TESTS_PASSED: Final = (
    " (one in a process that the test started does not count: return the boxes or traces from there, and assert in the "
    "test)"
)
"""What of that a run whose tests all failed does without."""

_MOST_BATCHED: Final = 3
"""How many differences in batches a sentence holds."""


class RunLimit(NamedTuple):
    """What a limit judges over a run: of which count the share, or the mean of its amounts, and how messages say it."""

    part: str | None
    of: str
    words: str


BORDERLINE_LINES: Final = "text.max_borderline"
RUN_LIMITS: Final = {
    "detections.max_borderline": RunLimit("borderline", "boxes", "of the boxes are borderline"),
    "detections.max_unmatched": RunLimit("different", "boxes", "of the boxes have no partner"),
    "probability_maps.mean_atol": RunLimit(None, "", "is the maps' mean difference"),
    "probability_maps.max_changed": RunLimit("changed", "timesteps", "of the timesteps have another best class"),
    "text.max_cer": RunLimit("edits", "characters", "of the characters are edits"),
    "text.max_changed": RunLimit("different", "lines", "of the lines are read otherwise"),
    BORDERLINE_LINES: RunLimit("borderline", "lines", "of the lines are borderline"),
}


def verdict_on_run(
    tally: Tally, *, allow_empty: bool, is_recording: bool, causes: Mapping[TaskSides, str] | None = None
) -> list[Fault]:
    """Return the faults of a run that its records show.

    `causes` are, by pair of sides, what is to be said beside a limit that the run as a whole breaks.
    """
    if is_recording and not tally.all(Golden):
        if any(record.fixture.startswith("ocr_golden") for record in tally.all(Used)):
            return [Fault("recorded", "nothing was recorded: no test that took ocr_golden got as far as a baseline")]
        return [Fault("recorded", "nothing was recorded: no test asked ocr_golden for a baseline")]
    if not any(tally.records.values()):
        return []
    compared = [each for each in tally.compared if each.status != RECORDED]
    if not compared and not tally.all(Evaluated) and not any(record.recorded for record in tally.all(Golden)):
        text = "nothing was compared: tests used ocrparity's fixtures, and none reached an assertion"
        return [Fault("compared", f"{text}{WHERE_TESTS_PASSED}")]
    broken = [
        fault._replace(text=f"{fault.text}{(causes or {}).get(fault.sides, '')}" if fault.sides else fault.text)
        for fault in verdict_on_run_limits(compared)
    ]
    return [*_all_empty(compared, allow_empty), *_other_dictionaries(compared), *broken]


def _other_dictionaries(compared: Sequence[RecordedComparison]) -> list[Fault]:
    """Return a fault for each two sides with other dictionaries, which lines passed that do not show it."""
    texts = {
        f"{dictionaries_text(each, made.reference, made.candidate)}; lines that hold none of them pass: give "
        f"{made.candidate} the dictionary with which the network was trained"
        for made in compared
        if made.status in MATCHES
        for each in made.differences
        if each.kind == DICTIONARY
    }
    return [Fault(DICTIONARY, text) for text in sorted(texts)]


def _all_empty(compared: Sequence[RecordedComparison], allow_empty: bool) -> list[Fault]:
    """Return that no model of a task found anything, by the tasks; a recogniser that reads hides no mute detector."""
    faults = []
    for kind, (found, shows) in _FOUND.items():
        made = [each for each in compared if each.kind == kind and each.counts]
        statuses = {each.status for each in made}  # what a test allows of its own image excuses no other
        if EMPTY in statuses and statuses <= {EMPTY, ALLOWED_EMPTY} and not allow_empty:
            text = f"no image of this run has {found} ({len(made)} compared): nothing shows that the model {shows}; "
            faults.append(Fault("allow_empty", f"{text}add an image with text"))
    return faults


_FOUND: Final = {
    DETECTIONS: ("a box", "detects"),
    TEXT: ("a text that is read", "reads"),
    PAGE: ("a line", "reads"),
}
"""By the kind of what a model returns, what none of a run's images has, and what then nothing shows."""


def verdict_on_batches(records: Sequence[Batched]) -> list[Fault]:
    """Return a fault for each side whose images differ in a batch from themselves alone, or none of which ran in one.

    Those with a cause come first.
    """
    faults = []
    for side, images in batch_records_by_side(records).items():
        asked = images[0].asked
        failed = sorted((each for each in images if not each.is_same), key=lambda each: (not each.cause, each.image))
        if failed:
            texts: dict[tuple[str, str], list[str]] = {}
            for each in failed:
                texts.setdefault((each.text, each.cause), []).append(each.image)
            parts = [
                f"{', '.join(names)}: {text}{f'; cause: {cause}' if cause else ''}"
                for (text, cause), names in list(texts.items())[:_MOST_BATCHED]
            ]
            more = f"; and {len(texts) - _MOST_BATCHED} more" if len(texts) > _MOST_BATCHED else ""
            share = f"{len(failed)} of {number_of_images(len(images))}"
            head = f"{side} in batches of {asked} differs from {side} alone, on {share}"
            faults.append(Fault("batch", f"{head}: {'; '.join(parts)}{more}"))
        elif not any(each.size > 1 for each in images):
            why = dict.fromkeys(each.text for each in images if each.text)
            reasons = "; ".join(why) or "no two of them have tensors of one size"
            head = f"{side} was asked for batches of {asked}, and none ran, of {number_of_images(len(images))}"
            faults.append(Fault("batch", f"{head}: {reasons}; add an image of the same size, or ask for no batches"))
    return faults


def verdict_on_batch_sizes(records: Sequence[Batched]) -> list[str]:
    """Return a sentence for each side none of whose batches was as large as asked: a smaller one shows less."""
    texts = []
    for side, images in batch_records_by_side(records).items():
        asked, largest = images[0].asked, max(each.size for each in images)
        if 1 < largest < asked:
            texts.append(
                f"{side} was asked for batches of {asked}, and the largest that ran had {number_of_images(largest)}: "
                f"no batch of {asked} was compared; add pages whose tensors have one size, or ask for batches of "
                f"{largest}"
            )
    return texts


def verdict_on_accuracy(records: Sequence[AccuracyRecord]) -> list[Fault]:
    """Return a fault for each candidate that is less accurate than permitted, or of which that stays undecided."""
    faults = []
    for record, name in zip(records, accuracy_names(records), strict=True):
        if record.result.fails:
            lost = [each.image for each in record.changed if each.lost]
            where = f"; most lost on {', '.join(lost[:3])}" if lost else ""
            cause = f"; {record.cause}" if record.cause else ""
            head = f"accuracy of {record.candidate} against {record.reference}{name.words} {record.result.verdict}"
            limit = f"limit {float(record.limit.value):g} ({ACCURACY}, {record.limit.origin})"
            faults.append(Fault(ACCURACY, f"{head}: {record.result.text}, {limit}{where}{cause}"))
    return faults


def verdict_on_run_limits(compared: Sequence[RecordedComparison | Comparison]) -> list[Fault]:
    """Judge the limits that hold for a run and not for an image; other sides and other limits are judged apart."""
    groups: dict[tuple[str, float, str, str, Sides], list[tuple[RecordedComparison | Comparison, float]]] = {}
    for each in compared:
        for measure in each.measures:
            if measure.name == "text.max_cer" and not each.limits["text.per_run"].value:
                continue  # it judged each line
            if measure.name in RUN_LIMITS and not measure.decides and measure.limit is not None:
                key = measure.name, measure.limit, measure.origin, each.task, (each.reference, each.candidate)
                groups.setdefault(key, []).append((each, measure.value))
    faults = []
    for (name, limit, origin, task, sides), members in groups.items():
        count, whole, words = RUN_LIMITS[name]
        if count is None:
            amounts: Sequence[float] = [value for _, value in members]
            amount, total = sum(amounts), len(members)
        else:
            # An image of which `judge` does not know how many differ is undecided by itself, and adds none.
            amounts = [each.counts.get(count, 0) for each, _ in members]
            total = sum(each.counts[whole] for each, _ in members)
            amount = sum(amounts)
        if name == BORDERLINE_LINES and limit and amount <= 1:
            continue  # a run of a few lines has no smaller share than one
        if total and not amount / total <= limit:
            written = f"{amount / total:.1e}" if count is None else f"{amount / total:.1%} ({amount} of {total})"
            ranked = sorted(zip(amounts, members, strict=True), key=lambda pair: pair[0], reverse=True)
            worst = ", ".join(member[0].image for value, member in ranked[:3] if value)
            where = f"{sides[1]} against {sides[0]}, most in {worst}"
            text = f"over the run {written} {words}, limit {limit:g} ({name}, {origin}); {where}"
            faults.append(Fault(name, text, (task, *sides)))
    return faults
