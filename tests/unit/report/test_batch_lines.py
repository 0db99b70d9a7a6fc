"""What ran in batches, in the table."""

from __future__ import annotations

from records import tally

from pytest_ocrparity.report.batch_lines import batch_records_by_side
from pytest_ocrparity.report.document import Batched, BatchLimit, Record


def told(*records: Record) -> list[str]:
    return tally(*records).table(per_image=False)


def ran(image: str, size: int = 4, **more: object) -> Batched:
    return Batched(side="inference", image=image, asked=4, size=size, **more)  # type: ignore[arg-type]


def test_without_batches_there_is_no_line() -> None:
    assert told() == []


def test_it_is_said_how_many_ran_in_which_size_and_which_did_not() -> None:
    images = [ran("a", largest=1e-7, limit=1e-4), ran("b", largest=3e-7, limit=1e-4), ran("c", 2), ran("d", 1)]
    gone = ran("e", 0, text="images that are no files are not kept to run again")
    assert told(*images, gone) == [
        "inference in batches of 4 against inference alone: 2 images in batches of 4, 1 image in batches of 2, "
        "1 image with a tensor of a size of its own, 1 image could not run in one",
        "  3 same, worst map 3.0e-07 of 1.0e-04",
    ]


def test_what_differs_is_counted_and_nothing_is_said_where_none_ran() -> None:
    assert told(ran("a"), ran("b", is_same=False, largest=0.5, limit=1e-4))[1] == (
        "  1 different, 1 same, worst map 0.5 of 1.0e-04"
    )
    assert told(ran("a", 1)) == [
        "inference in batches of 4 against inference alone: 1 image with a tensor of a size of its own"
    ]


def test_what_an_api_says_is_printed_once() -> None:
    limit = BatchLimit(side="inference", text="images of two sizes do not run")
    assert told(ran("a"), limit, limit)[-1] == "  inference: images of two sizes do not run"
    assert len(told(ran("a"), limit, limit)) == 3


def test_of_an_image_that_two_workers_ran_the_difference_counts() -> None:
    wrong = ran("a", is_same=False, text="differs")
    for order in ([ran("a"), wrong], [wrong, ran("a")]):
        assert batch_records_by_side(order) == {"inference": [wrong]}
    assert batch_records_by_side([ran("a", 1), ran("a", 4)]) == {"inference": [ran("a", 4)]}
