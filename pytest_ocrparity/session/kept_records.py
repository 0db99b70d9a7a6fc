"""What the tests of a run left, kept small: a run of ten thousand images keeps all of it until its end."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from pytest_ocrparity.report.document import Record

_TELLING = 4096
"""Bytes from which on records are taken for a pattern of others: a test that only skipped leaves fewer."""
_TOGETHER = 16
"""Records that are packed, and unpacked, as one piece: all of most tests, and a small part of a test of many images."""


class PackedRecords(Sequence["Record"]):
    """The records of one test, unpacked anew when they are asked for."""

    __slots__ = ("_ends", "_packed", "_pattern")

    def __init__(self, pattern: bytes) -> None:
        """Begin with nothing. What is like the pattern takes little room."""
        self._pattern = pattern
        self._packed: list[bytes] = []
        self._ends = [0]
        """How many records stand before each piece, then how many there are."""

    def extend(self, records: Sequence[Record]) -> None:
        """Keep further records."""
        from pytest_ocrparity.report.document import pack_document_part

        for start in range(0, len(records), _TOGETHER):
            piece = list(records[start : start + _TOGETHER])
            packer = zlib.compressobj(level=1, zdict=self._pattern)
            self._packed.append(packer.compress(pack_document_part(piece)) + packer.flush())
            self._ends.append(self._ends[-1] + len(piece))

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        piece = bisect_right(self._ends, place) - 1
        return _unpacked(self._packed[piece], self._pattern)[place - self._ends[piece]]

    def __len__(self) -> int:
        return self._ends[-1]


@lru_cache(maxsize=4)
def _unpacked(packed: bytes, pattern: bytes) -> list[Record]:
    """Return records; those of one test are asked for one after the other."""
    from pytest_ocrparity.report.document import unpack_document_records

    return unpack_document_records(zlib.decompressobj(zdict=pattern).decompress(packed))


class KeptRecords(Mapping[str, Sequence["Record"]]):
    """The records of each test by its node id, compressed: those of one image are much like those of another."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._by_test: dict[str, PackedRecords] = {}
        self._pattern = b""

    def add(self, test: str, records: Sequence[Record]) -> None:
        """Keep what one run of a test left, after what an earlier one did."""
        if len(self._pattern) < _TELLING:
            from pytest_ocrparity.report.document import pack_document_part

            self._pattern = max(self._pattern, pack_document_part(records[:8])[: 1 << zlib.MAX_WBITS], key=len)
        self._by_test.setdefault(test, PackedRecords(self._pattern)).extend(records)

    def __getitem__(self, test: str) -> Sequence[Record]:
        return self._by_test[test]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_test)

    def __len__(self) -> int:
        return len(self._by_test)
