"""What pytest made of the parameters of a test that uses our fixtures: none at all, images, or what nobody reads.

pytest has no public names for what a test is parametrized by; all that this package needs of it is here, and tried on
the oldest and the newest pytest. Which fixtures a test reaches is in `fixtures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_ocrparity.session.fixtures import CANDIDATE, FIXTURES, OWN_IMAGE, is_our_fixture

IMAGE: Final = "ocr_image"
_INSTEAD: Final = {
    "ocr_train_model": "override the fixture",
    "ocr_inference_model": "candidates are [tool.ocrparity.candidates.NAME] in the settings; or override the fixture",
    "ocr_golden": "golden.dir and golden.reference set what it reads",
    "ocr_train_page": "override the fixture",
    "ocr_inference_page": "[tool.ocrparity.page] sets what it runs; or override the fixture",
    "ocr_golden_page": "golden.dir and golden.reference set what it reads",
}
"""What to do in place of a parameter that a fixture of ours does not read."""
_NAMES: Final = frozenset((*FIXTURES, OWN_IMAGE))


def is_parametrized_by_images(metafunc: Any) -> bool:
    """Tell whether a test gets its images from elsewhere, so that those of the settings are not its own.

    By `parametrize`, or by a pytest_generate_tests that ran before ours. An override that asks for our `ocr_image` and
    reads `request.param` itself, such as an angle to turn each image by, gives none.
    """
    if not any(IMAGE in names for names in _parametrized_by(metafunc)):
        return False
    return not _is_read_by_an_override(metafunc._arg2fixturedefs.get(IMAGE, ()), IMAGE)


def is_parametrized_image(request: Any) -> bool:
    """Tell whether the parameter that our `ocr_image` sees is meant for it, and not for an override that reads it."""
    return not _is_read_by_an_override(request._pyfuncitem._fixtureinfo.name2fixturedefs.get(IMAGE, ()), IMAGE)


def parameters_of(item: Any) -> Mapping[str, Any]:
    """Return what a test is parametrized by."""
    callspec = getattr(item, "callspec", None)
    found: Mapping[str, Any] = {} if callspec is None else callspec.params
    return found


def is_marked(item: Any, name: str) -> bool:
    """Tell whether a test, or what it lies in, has a marker; quickly, as this is asked of every test of a suite."""
    return name in item.keywords and item.get_closest_marker(name) is not None


def parametrized_candidate(item: Any) -> str | None:
    """Return which of several candidates a test compares, None where it is not parametrized by them."""
    name: str | None = parameters_of(item).get(CANDIDATE)
    return name


def without_a_value(name: str, by: str, item: Any) -> str:
    """Return what to say where a fixture that is parametrized at collection has no value in a test.

    Args:
        name: the fixture.
        by: what parametrizes it, "images" or "candidates".
        item: the test. pytest parametrizes functions and methods, and no unittest.TestCase nor doctest.
    """
    from unittest import TestCase

    text = f"{name} is parametrized by {by} at collection"
    if issubclass(getattr(item, "cls", None) or object, TestCase):
        kind = "a unittest.TestCase"
    elif hasattr(item, "dtest"):
        kind = "a doctest"
    else:
        return f"{text}: name it among the test's arguments"
    instead = "loop over the images' paths and give each to .trace()" if by == "images" else "keep one candidate"
    return f"{text}, which pytest does not do for {kind}: write a test function, or {instead}"


def misplaced_parametrization(item: Any) -> str:
    """Return what is wrong with the parameters of a collected test, or nothing.

    Either its images come from two places, or a parameter is meant for a fixture of ours that reads none.
    """
    callspec, info = getattr(item, "callspec", None), getattr(item, "_fixtureinfo", None)
    if callspec is None or info is None:
        return ""
    if _NAMES.isdisjoint(callspec.params):
        return ""
    definitions = info.name2fixturedefs
    if {IMAGE, OWN_IMAGE} <= callspec.params.keys() and not _is_read_by_an_override(definitions.get(IMAGE, ()), IMAGE):
        return (
            "ocr_image is parametrized twice: with the images of the settings, and by a pytest_generate_tests that "
            "runs after ocrparity's; take trylast=True from that hook, or use @pytest.mark.parametrize"
        )
    for name, way_out in _INSTEAD.items():
        if (
            name in callspec.params
            and name not in _empty_parameters(callspec)
            and _reaches_ours(definitions.get(name, ()), name)
        ):
            return f"{name} reads no parameter, so that {callspec.params[name]!r} would have no effect: {way_out}"
    return ""


def wide_parametrization(item: Any, *scopes: str) -> tuple[tuple[str, int], ...]:
    """Return the parameters, by name and index, that a test has of other people's fixtures of these scopes."""
    callspec, own = item.callspec, (*FIXTURES, OWN_IMAGE, CANDIDATE)
    scope_of = {name: scope.value for name, scope in callspec._arg2scope.items()}
    return tuple(
        (name, index) for name, index in callspec.indices.items() if name not in own and scope_of.get(name) in scopes
    )


def empty_parametrization(item: Any, reason: str) -> str:
    """Return why a test must not pass as skipped, or nothing: pytest skips one whose parameter has no value.

    Args:
        item: the test.
        reason: why it was skipped, as pytest or the user says. A test that is skipped for a reason of its own stays so.
    """
    callspec = getattr(item, "callspec", None)
    if callspec is None or not set(FIXTURES).intersection(getattr(item, "fixturenames", ())):
        return ""
    empty = _empty_parameters(callspec)
    reasons = [str(mark.kwargs.get("reason")) for mark in callspec.marks if mark.name in ("skip", "xfail")]
    is_skipped_anyway = any(mark not in callspec.marks for mark in item.iter_markers("skip"))
    if not empty or is_skipped_anyway or not any(each in reason for each in reasons):
        return ""
    names = " and ".join(empty)
    return (
        f"nothing was compared: {names} was parametrized with an empty list for {item.nodeid} (does a glob match no "
        "file?); give it a value, or mark the test with @pytest.mark.skip if that is meant"
    )


def _empty_parameters(callspec: Any) -> list[str]:
    """Return the names for which pytest had no value, and put a placeholder of its own in place."""
    return [name for name, value in callspec.params.items() if type(value).__name__ == "NotSetType"]


def _parametrized_by(metafunc: Any) -> Iterator[Sequence[str]]:
    """Yield the names that the test's marks and the hooks before ours parametrize."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        yield [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for call in metafunc._calls:
        yield list(call.params)


def _reaches_ours(definitions: Sequence[Any], name: str) -> bool:
    """Tell whether a parameter of that name arrives at our fixture, and at no override that could read it."""
    for definition in reversed(definitions):
        if is_our_fixture(definition):
            return True
        if "request" in definition.argnames or name not in definition.argnames:
            return False
    return False


def _is_read_by_an_override(definitions: Sequence[Any], name: str) -> bool:
    """Tell whether an override can read the parameter and asks for our fixture as well."""
    for definition in reversed(definitions):
        if is_our_fixture(definition) or name not in definition.argnames:
            return False
        if "request" in definition.argnames:
            return True
    return False
