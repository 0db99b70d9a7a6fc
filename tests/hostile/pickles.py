"""Pickles that are none, that run something, or that take more memory than they have bytes."""

from __future__ import annotations

import pickle
import pickletools
import struct
from functools import cache
from typing import Any

from hypothesis import strategies as st
from paths import EXAMPLE

from hostile.inputs import mangled

GLOBALS = (
    *(("os", "system"), ("builtins", "eval"), ("builtins", "tuple"), ("subprocess", "Popen"), ("posix", "fork")),
    *(
        ("numpy", "load"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy", "dtype.__reduce__"),
        ("numpy.core.multiarray", "scalar"),
    ),
    *(
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("_codecs", "encode"),
        ("_codecs", "decode"),
    ),
    *(
        ("numpy._core.numeric", "_frombuffer"),
        ("collections", "OrderedDict"),
        ("no_such", "thing"),
        ("", ""),
        ("paddle", "load"),
        ("n\\x75mpy", "dtype"),
        ("numpy", "\\ "),
        ("_codecs", "enc\\157de"),
    ),
)
ENCODE, DTYPE, NDARRAY = b"c_codecs\nencode\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@cache
def honest() -> tuple[bytes, ...]:
    """Return small checkpoints as every protocol writes them, and the start of a real one."""
    with (EXAMPLE / "checkpoints" / "tiny_db.pdparams").open("rb") as file:
        real = pickle.load(file)
    few = {key: value for key, value in real.items() if getattr(value, "nbytes", 999) < 70}
    few["StructuredToParameterName@@"] = dict.fromkeys(few, "name")
    return (*(pickle.dumps(few, protocol=protocol) for protocol in range(6)), pickle.dumps(few, 4)[:500])


def text(value: str) -> bytes:
    """Return the opcodes that push a text."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def of_content(value: bytes) -> bytes:
    """Return a pickle of a mapping that holds one value."""
    return b"\x80\x02}" + text("a") + value + b"s."


def array_of(
    shape: tuple[int, ...],
    code: str,
    data: bytes,
    order: str = "<",
    state: bytes = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0",
) -> bytes:
    """Return the opcodes of an array of any shape, type and content, as numpy's `__reduce__` writes them."""
    sides = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape) + b"t"
    dtype = DTYPE + text(code) + b"\x89\x88\x87R(K\x03" + text(order) + state + b"tb"
    return (
        RECONSTRUCT
        + NDARRAY
        + b"K\0\x85C\x01b\x87R(K\x01"
        + sides
        + dtype
        + b"\x89B"
        + struct.pack("<I", len(data))
        + data
        + b"tb"
    )


def doubled(times: int, codec: str) -> bytes:
    """Return a pickle that encodes a text again and again with a codec that makes it longer."""
    calls = b"".join(text(codec) + b"\x86R" for _ in range(times))
    return of_content(b"".join([ENCODE] * times) + b"C\x03lol" + calls)


def twice(times: int, how: bytes = b"\x86") -> bytes:
    """Return a pickle of tuples of tuples, 2 ** times of them when walked or hashed."""
    step = b"q\0h\0h\0" + how
    return b")" + step * times


BOMBS = {
    "a memo of 32 GiB": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a text of 8 EiB": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.",
    "bytes of 8 GiB": b"\x80\x04\x8e" + struct.pack("<Q", 2**33) + b".",
    "bytes of 4 GiB": b"\x80\x04B\xff\xff\xff\xff.",
    "a frame of 1 TiB": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
    "a bytearray of 8 GiB": b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b".",
    "an integer of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a text encoded forty times": doubled(40, "hex_codec"),
    "tuples of tuples": of_content(twice(60)),
    "tuples of tuples as a key": b"\x80\x02}" + twice(60) + b"Ns.",
    "an array of 1 TiB": of_content(RECONSTRUCT + NDARRAY + b"\x8a\x06\0\0\0\0\0\1\x85C\x01b\x87R"),
    "an array of 1 TiB, called": of_content(NDARRAY + b"\x8a\x06\0\0\0\0\0\1\x85\x85R"),
    "an array of 1 TiB, made": of_content(NDARRAY + b"\x8a\x06\0\0\0\0\0\1\x85\x85\x81"),
    "a state of 1 TiB": of_content(array_of((2**40,), "f4", b"")),
    "a negative shape": of_content(array_of((-1, -4), "u1", b"abcd")),
    "sides whose product overflows": of_content(array_of((2**62, 4), "u1", b"")),
    "an array of objects": of_content(array_of((1,), "O8", b"\0" * 8)),
    "fields outside of their type": of_content(array_of((1,), "V8", b"\0" * 8, "|", b"N(X\1\0\0\0at}K\x08K\x01K\0")),
    "a mebibyte used a thousand times": of_content(
        b"B" + struct.pack("<I", 2**20) + b"a" * 2**20 + b"q\0" + b"0h\0" * 1000
    ),
    "an array used a thousand times": b"\x80\x02}("
    + text("a")
    + array_of((4,), "u1", b"abcd")
    + b"q\1"
    + b"".join(text(str(n)) + b"h\1" for n in range(999))
    + b"u.",
    "slices of big parameters": of_content(b"}" + text("UnpackBigParamInfor@@") + b"}" + text("a") + b"}ss"),
    "lists in lists": of_content(b"]" * 100_000 + b"a" * 99_999),
    "marks without end": b"\x80\x02" + b"(" * 100_000 + b".",
    "a mapping in itself": b"\x80\x02}q\0" + text("a") + b"h\0s.",
}

_ARGUMENTS = st.one_of(
    st.binary(max_size=5),
    st.sampled_from(
        (
            b"\xff" * 4,
            b"\xff" * 8,
            b"\0" * 8,
            b"\x01a",
            b"\x03abc",
            b"os\nsystem\n",
            b"7\n",
            b"\x01\0\0\0a",
            b"\x01" + b"\0" * 7 + b"a",
        )
    ),
)
_OPCODES = st.sampled_from([opcode.code.encode("latin1") for opcode in pickletools.opcodes])
_STEPS = st.sampled_from(
    (
        *(
            b"(",
            b")",
            b"]",
            b"}",
            b"N",
            b"\x88",
            b"K\x01",
            b"C\x01b",
            b"q\0",
            b"h\0",
            b"\x94",
            b"t",
            b"\x85",
            b"\x86",
            b"\x87",
        ),
        *(
            b"R",
            b"b",
            b"s",
            b"u",
            b"a",
            b"e",
            b"0",
            b"2",
            b"o",
            b"\x81",
            b"\x92",
            b"\x93",
            b"d",
            b"l",
            text("a"),
            text("latin1"),
            text("f4"),
        ),
        *(ENCODE, DTYPE, NDARRAY, RECONSTRUCT, array_of((1,), "u1", b"a")),
    )
)


@st.composite
def naming(draw: Any) -> bytes:
    """Draw a pickle that names a global, in one of the ways there are, and calls it."""
    module, name = draw(st.sampled_from(GLOBALS))
    arguments = draw(
        st.sampled_from(
            (b")", text("touch evil") + b"\x85", b"K\x01\x85", text("a") + text("latin1") + b"\x86", b"]\x85")
        )
    )
    how = draw(st.integers(0, 3))
    if how == 0:
        return of_content(f"c{module}\n{name}\n".encode() + arguments + b"R")
    if how == 1:
        return of_content(
            text(module) + text(name) + b"\x93" + arguments + draw(st.sampled_from((b"R", b"\x81", b"}\x92", b"b")))
        )
    if how == 2:
        return of_content(b"(" + text("touch evil") + f"i{module}\n{name}\n".encode())
    return of_content(b"(" + f"c{module}\n{name}\n".encode() + text("touch evil") + b"o")


@st.composite
def arrays(draw: Any) -> bytes:
    """Draw a pickle of one array, that mostly claims something else than it holds."""
    shape = draw(st.lists(st.sampled_from((0, 1, 2, -1, 2**31, 2**62)), max_size=3))
    code = draw(st.sampled_from(("f4", "f8", "u1", "O8", "V8", "S4", "f4,f4", "f16", "b2", "9" * 9 + "f4", "m8[s]")))
    data = b"\0" * draw(st.sampled_from((0, 1, 4, 8, 16)))
    state = draw(st.sampled_from((b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0", b"N(K\1t}K\1K\1K\0", b"NNN")))
    return of_content(array_of(tuple(shape), code, data, draw(st.sampled_from("<|>=")), state))


programs = st.one_of(
    st.lists(st.one_of(st.tuples(_OPCODES, _ARGUMENTS).map(b"".join), _STEPS), max_size=8).map(
        lambda steps: b"\x80\x04" + b"".join(steps) + b"."
    ),
    st.lists(_STEPS, max_size=12).map(lambda steps: of_content(b"".join(steps))),
)
pickles = st.one_of(
    programs,
    naming(),
    arrays(),
    st.deferred(lambda: st.sampled_from(honest()).flatmap(mangled)),
    st.sampled_from([data for data in BOMBS.values() if len(data) < 10_000]),
    st.deferred(lambda: st.sampled_from(honest())),
)
