"""The fixtures of a test: which it reaches, and whose; the value of one, or, without setting it up, its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.wording import path_from

PAGES: Final = ("ocr_train_page", "ocr_inference_page", "ocr_golden_page")
"""Those that read pages with both models."""
FIXTURES: Final = ("ocr_train_model", "ocr_inference_model", "ocr_golden", "ocr_image", *PAGES)
BASELINES: Final = ("ocr_golden", "ocr_golden_page")
"""Those that hold what was recorded."""
TRAINED: Final = ("ocr_train_model", "ocr_train_page")
"""Those that `--ocr-no-train` does without."""
OWN_IMAGE: Final = "_ocr_image"
"""The private fixture that the images of the settings parametrize."""
CANDIDATE: Final = "_ocr_candidate"
"""The private fixture that several candidates parametrize."""
OF_GATE: Final = {
    "ocr_reference": ("ocr_train_model", "ocr_golden"),
    "ocr_page_reference": ("ocr_train_page", "ocr_golden_page"),
}
"""The gate's own fixtures, each with the two of ours of which it asks for one while it is set up: live, or recorded."""
_KNOWN: Final = ("_pytest", "pytest_ocrparity", "xdist")
"""Whose fixtures make no model."""


def fixture_value(item: Any, name: str) -> Any:
    """Return the value of a fixture as a test gets it, setting it up where it is not."""
    return item._request.getfixturevalue(name)


def fixture_place(item: Any, name: str, root: Path) -> str:
    """Return the place of a test's fixture: its file from `root` on, or its module where a plugin has it.

    Where it depends on parameters, they follow. Empty where this pytest does not tell: it has no public way to ask.
    """
    definition = _fixture_definition(name, item)
    if definition is None:
        return ""
    place, parameters = _fixture_place(definition, item.config.rootpath, root), _fixture_parameters(name, item)
    if not parameters:
        return place
    from pytest_ocrparity.golden.ownership import WITH

    return f"{place}{WITH}{', '.join(parameters)}"


def fixture_definitions(name: str, item: Any) -> Sequence[Any]:
    """Return what pytest has for a test under this name, the one that it would set up last."""
    for test in (item, item.nodeid):  # 8.0 wants the id
        with suppress(AttributeError, TypeError):
            return item.session._fixturemanager.getfixturedefs(name, test) or ()
    return ()


def _fixture_definition(name: str, item: Any) -> Any:
    found = fixture_definitions(name, item)
    return found[-1] if found else None


def _fixture_place(definition: Any, rootpath: Path, root: Path) -> str:
    """Return where a fixture was defined; one of a conftest.py or of a test file is there for what lies below it."""
    node, function = getattr(definition, "node", None), definition.func
    base = definition.baseid if node is None else node.nodeid  # pytest before 9.1 has no node
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    # Its code would name the file that a cached module was compiled from, which may have moved.
    file = Path(getattr(function, "__globals__", {}).get("__file__") or "")
    if base not in ("", "."):
        file = rootpath / (base if base.partition("::")[0].endswith(".py") else f"{base}/conftest.py")
    elif file.name != "conftest.py":  # a plugin's, which is there for all
        return str(getattr(function, "__module__", ""))
    return path_from(root, file)


def _fixture_parameters(name: str, item: Any) -> list[str]:
    """Return the parameters that a fixture or what it asks for takes in this test, as "fixture=value"."""
    callspec: Any = getattr(item, "callspec", None)
    given: Mapping[str, Any] = callspec.params if callspec is not None else {}
    names, found = [name], []
    for each in names:  # grows
        if each in given:
            found.append(f"{each}={_parameter_text(given[each], callspec.indices.get(each, 0))}")
        asked = getattr(_fixture_definition(each, item), "argnames", ())
        names += [other for other in asked if other not in names]
    return found


def _parameter_text(value: Any, index: int) -> str:
    """Return a parameter where it is a plain word or number, else its place: a path would be this machine's."""
    is_plain = isinstance(value, str | int | float) and re.fullmatch(r"[\w.+-]{1,40}", str(value))
    return str(value) if is_plain else f"#{index + 1}"


def reaches_our_fixture(test: Any, name: str) -> bool:
    """Tell whether a test that asks for a fixture of ours gets it, or an override that asks for it as well."""
    for definition in reversed(_fixture_closure(test).get(name) or fixture_definitions(name, test)):
        if is_our_fixture(definition):
            return True
        if name not in definition.argnames:
            return False
    return False


def fixture_of_gate(test: Any) -> str | None:
    """Return the fixture of `pytest_ocrparity.gate` from which a test has its reference; None where it has another."""
    closure = _fixture_closure(test)
    for name in OF_GATE:
        found = closure.get(name, ())
        if found and getattr(found[-1].func, "__module__", "") == "pytest_ocrparity.gate":
            return name
    return None


def asked_fixtures(test: Any) -> list[str]:
    """Return the fixtures that a test asks for by its arguments and `usefixtures`, and those that these ask for.

    Not those of `autouse`: what runs around every test of a file tells nothing of what one of them is about.
    """
    info = getattr(test, "_fixtureinfo", None)
    marked = (name for mark in test.iter_markers("usefixtures") for name in mark.args)
    names = [*(() if info is None else info.argnames), *marked]
    closure = _fixture_closure(test)
    for each in names:  # grows
        asked = (name for definition in closure.get(each, ()) for name in definition.argnames)
        names += dict.fromkeys(name for name in asked if name not in names)
    return names


def may_fixtures_make_files(test: Any) -> bool:
    """Tell whether a fixture of the user's runs before ours, which are of session scope: it may make what we load."""
    return any(
        definition.scope == "session" and definition.func.__module__.partition(".")[0] not in _KNOWN
        for name, found in _fixture_closure(test).items()
        if name not in (*FIXTURES, OWN_IMAGE, CANDIDATE)
        for definition in found
    )


def _fixture_closure(test: Any) -> Mapping[str, Sequence[Any]]:
    """Return the definitions of all fixtures that a test is known to use, by name."""
    info = getattr(test, "_fixtureinfo", None)
    found: Mapping[str, Sequence[Any]] = {} if info is None else info.name2fixturedefs
    return found


def is_our_fixture(definition: Any) -> bool:
    """Tell whether a definition of a fixture is this package's, and no override of it."""
    return getattr(definition.func, "__module__", "") == "pytest_ocrparity.plugin"


@contextmanager
def errors_as_fixture_failures() -> Iterator[None]:
    """Turn our own errors in a fixture into pytest's, whose text stands without a traceback through our code."""
    try:
        yield
    except OcrParityError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
