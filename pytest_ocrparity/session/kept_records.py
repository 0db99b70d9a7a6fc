"""What the tests of a run left, kept small: a run of ten thousand images keeps all of it until its end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from pytest_ocrparity.report.document import Record


_TELLING = 4096
"""Bytes from which on records are taken for a pattern of others: a test that only skipped leaves fewer."""


class PackedRecords(Sequence["Record"]):
    """The records of one test, unpacked anew when they are asked for."""

    __slots__ = ("_count", "_packed", "_pattern")

    def __init__(self, pattern: bytes) -> None:
        """Begin with nothing. What is like the pattern takes little room."""
        self._pattern = pattern
        self._packed: list[bytes] = []
        self._count = 0

    def extend(self, records: Sequence[Record]) -> None:
        """Keep further records."""
        from pytest_ocrparity.report.document import pack_document_part

        packer = zlib.compressobj(level=1, zdict=self._pattern)
        self._packed.append(packer.compress(pack_document_part(list(records))) + packer.flush())
        self._count += len(records)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        return [each for packed in self._packed for each in _unpacked(packed, self._pattern)][place]

    def __len__(self) -> int:
        return self._count


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
