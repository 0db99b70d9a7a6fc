"""Checks a checkpoint's pickle, which is a program, by following it without running or importing anything.

What gets through is a mapping of arrays as numpy writes them. A list of harmless globals would not be enough: also
numpy's constructors and `_codecs.encode` take arguments that claim any amount of memory or damage numpy's own types,
and a pickle that names nothing can still double a value at each step. Imports no framework.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from pickletools import genops
from typing import Any, Final, cast

from pytest_ocrparity.errors import ModelError

HARMLESS: Final = frozenset(
    {
        ("_codecs", "encode"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
    }
)
"""All that a `.pdparams` of arrays names, whichever numpy wrote it."""

_CODE: Final = re.compile(r"b1|[iu][1248]|f[248]|c(?:8|16)")  # a dtype of numbers: its kind and its bytes
_MOST_SHARED: Final = 256  # the longest text that may be used again: names are, contents of arrays are not
_MOST_AXES: Final = 64  # of numpy
_SCALARS: Final = (str, bytes, bool, int, float, type(None))
_MARK: Final = object()
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}
_VALUES: Final = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"),
        *("BINUNICODE8", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    }
)


@dataclass(frozen=True, slots=True)
class _Global:
    name: str


@dataclass(slots=True)
class _DType:
    itemsize: int
    is_whole: bool = False


@dataclass(slots=True)
class _Array:
    is_whole: bool = False


class _ForeignError(Exception):
    """A pickle does something that no array needs; the text continues "this checkpoint's pickle"."""


def check_pickle(path: Path) -> None:
    """Check that a checkpoint is whole and that loading it makes nothing but a mapping of arrays, of its own size.

    Takes time and memory in proportion to the file.

    Raises:
        ModelError: it names another global or does something else that no array needs (and how to load it all the
            same), it is cut off or can't be read, or it is no pickle of a mapping.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools decodes escapes in names, which may be wrong ones
            content = _Reader().read(path.read_bytes())
        if isinstance(content, dict):
            _check_content(content)
    except OSError as error:
        raise ModelError(f"{path}: cannot read this checkpoint: {error.strerror or error}") from error
    except _ForeignError as error:
        raise ModelError(
            f"{path}: this checkpoint's pickle {error}; no plain checkpoint does. "
            "If you trust where it comes from, set train.trust_checkpoint = true"
        ) from None
    except (ValueError, IndexError, KeyError, AttributeError) as error:  # what a damaged pickle leads to below
        raise ModelError(
            f"{path}: not a whole checkpoint ({type(error).__name__}: {error}): copy it again; it has "
            f"{path.stat().st_size} bytes"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: holds a {type(content).__name__.strip('_')}, not the mapping of a paddle checkpoint (.pdparams)"
        )


def _check_content(content: dict[str, Any]) -> None:
    for key, value in content.items():
        inner = value.values() if isinstance(value, dict) else ()  # paddle's table of names
        is_plain = isinstance(value, (*_SCALARS, dict)) or (isinstance(value, _Array) and value.is_whole)
        if not is_plain or not all(isinstance(each, _SCALARS) for each in inner):
            raise _ForeignError(f"holds something else than an array as {key[:_MOST_SHARED]!r}")


@dataclass(slots=True)
class _Reader:
    """Follows a pickle as `pickle.Unpickler` would, with stand-ins for dtypes and arrays."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def read(self, data: bytes) -> Any:
        """Return what the pickle holds. Raises _ForeignError, or ValueError and the like where it is damaged."""
        for opcode, given, position in genops(io.BytesIO(data)):
            name, argument, place = opcode.name, cast("Any", given), position or 0
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name == "FRAME" and argument > len(data) - place - 9:  # after the opcode and its argument
                raise ValueError(f"a frame of {argument} bytes at byte {place}")  # which would be allocated
            elif name == "GLOBAL":
                self.name_global(*argument.split(" ", 1))
                # Only pickletools decodes escapes: the unpickler would look for another name.
                if b"\\" in data[place : data.index(b"\n", data.index(b"\n", place) + 1)]:
                    raise _ForeignError("names a global with a backslash")
            elif name not in ("PROTO", "FRAME", "STOP"):
                step = _STEPS.get(name)
                if step is None:
                    raise _ForeignError(f"uses the opcode {name}")
                step(self, argument, place)
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """Take what was pushed after the last MARK."""
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def take(self, count: int) -> tuple[Any, ...]:
        """Take the last values, of which none is a MARK."""
        values = tuple(self.stack.pop() for _ in range(count))[::-1]
        if _MARK in map(_persistent_id, values):
            raise ValueError("a mark in the place of a value")
        return values

    def put(self, index: int, place: int) -> None:
        """Remember the last value. The unpickler's memo is an array that grows to the largest index."""
        if index > place:
            raise _ForeignError(f"remembers a value as number {index} at byte {place}")
        (self.memo[index],) = self.take(1)
        self.stack.append(self.memo[index])

    def get(self, index: int, _: int) -> None:
        """Use a remembered value again: one that doubles nothing."""
        value = self.memo[index]
        parts = value if isinstance(value, tuple) and len(value) <= _MOST_AXES else (value,)
        for part in parts:
            is_long = isinstance(part, str | bytes) and len(part) > _MOST_SHARED
            if is_long or not isinstance(part, (*_SCALARS, _Global, _DType)):
                raise _ForeignError("uses an array, a container or a long text twice")
        self.stack.append(value)

    def name_global(self, module: str, name: str) -> None:
        """Stand in for a global."""
        if (module, name) not in HARMLESS:
            raise _ForeignError(f"names {module}.{name}, which loading would run")
        self.stack.append(_Global(name))

    def stack_global(self, *_: Any) -> None:
        """Stand in for a global whose names are on the stack."""
        module, name = self.take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a global without a name")
        self.name_global(module, name)

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values into the mapping before them."""
        mapping = self.stack[-1]
        if not isinstance(mapping, dict) or len(values) % 2:
            raise ValueError("items for no mapping")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str):  # hashing tuples of tuples takes exponential time
                raise _ForeignError("has a key that is no text")
            mapping[key] = value

    def append(self, values: list[Any]) -> None:
        """Put values into the list before them."""
        if not isinstance(self.stack[-1], list):
            raise ValueError("items for no list")
        self.stack[-1].extend(values)

    def make_dict(self, *_: Any) -> None:
        """Make the mapping of the keys and values since the last mark."""
        values = self.since_mark()
        self.stack.append({})
        self.set_items(values)

    def reduce(self, *_: Any) -> None:
        """Call a global: only as numpy's arrays do."""
        match self.take(2):
            case _Global("encode"), (str() as text, "latin1" | "latin-1"):
                self.stack.append(text.encode("latin1"))
            case _Global("dtype"), (str() as code, 0, 1) if _CODE.fullmatch(code):
                self.stack.append(_DType(int(code[1:])))
            case _Global("_reconstruct"), (_Global("ndarray"), (0,), b"b" | "b"):
                self.stack.append(_Array())
            case called, _:
                raise _ForeignError(f"calls {getattr(called, 'name', 'a value')} as no array does")

    def build(self, *_: Any) -> None:
        """Set the state of a dtype or an array, once."""
        match self.take(2):
            case _DType(is_whole=False) as dtype, (3, "<" | "|", None, None, None, -1, -1, 0):
                dtype.is_whole = True
                self.stack.append(dtype)
            case _Array(is_whole=False) as array, (1, tuple() as shape, _DType(is_whole=True) as dtype, 0 | 1, data):
                # Else numpy might take other memory than the file's.
                if not isinstance(data, bytes | str) or not all(type(side) is int and side >= 0 for side in shape):
                    raise _ForeignError("sets the state of an array as no array does")
                sides = [side for side in shape if side]  # NumPy counts them beside a 0, and up to 2**63 bytes
                is_countable = len(shape) <= _MOST_AXES and math.prod(sides) * dtype.itemsize < 2**62
                if not is_countable or math.prod(shape) * dtype.itemsize != len(data):
                    raise ValueError(f"{len(data)} bytes for an array of shape {shape[:_MOST_AXES]}")
                array.is_whole = True
                self.stack.append(array)
            case _:
                raise _ForeignError("sets the state of a value as no array does")


def _persistent_id(value: Any) -> Any:
    return value if value is _MARK else None


_STEPS: Final[dict[str, Any]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Reader.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Reader.get),
    "MEMOIZE": lambda reader, _, place: reader.put(len(reader.memo), place),
    "STACK_GLOBAL": _Reader.stack_global,
    "EMPTY_DICT": lambda reader, *_: reader.stack.append({}),
    "EMPTY_LIST": lambda reader, *_: reader.stack.append([]),
    "TUPLE": lambda reader, *_: reader.stack.append(tuple(reader.since_mark())),
    **{f"TUPLE{n}": lambda reader, _, __, n=n: reader.stack.append(reader.take(n)) for n in (1, 2, 3)},
    "DICT": _Reader.make_dict,
    "SETITEM": lambda reader, *_: reader.set_items(list(reader.take(2))),
    "SETITEMS": lambda reader, *_: reader.set_items(reader.since_mark()),
    "APPEND": lambda reader, *_: reader.append(list(reader.take(1))),
    "APPENDS": lambda reader, *_: reader.append(reader.since_mark()),
    "REDUCE": _Reader.reduce,
    "BUILD": _Reader.build,
}
