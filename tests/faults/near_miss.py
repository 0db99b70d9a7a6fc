"""What a near miss is, and how the tables write one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from faults.deployment import Deployment, first_failure
from faults.foreign import Foreign
from pytest_ocrparity import DifferenceError, Trace, assert_same_detections

Make = Callable[[Any, Collection[str]], Any]
"""Builds the candidate from the deployment's inference side, with the fixes of these causes followed."""


@dataclass(frozen=True, kw_only=True)
class NearMiss:
    """A fault that looks like another one, and what may be said of it.

    Attributes:
        name: what is done.
        kind: CI runs one case of each.
        make: builds the candidate.
        stage: what must be named first; "a/b" where both are true: a picture of the right size with other pixels is
            wrong at `resize`, and the gate's first comparison that sees it is the tensor's.
        allowed: the one cause that may be stated, and then must; or "unknown".
        images: the pages on which it shows, the smallest first.
        injected: the causes that are truly at fault, so that none of them may be "ruled out".
        also: another cause that may be stated, and `because`: why that is true as well.
        saying: what a diagnosis with `also` must say, a regular expression, where the code alone is not the truth.
        unnamed: the pages on which it may stay unknown as well, each with why.
        inject: spoils the deployment's files first.
        never: regular expressions of sentences that are false here.
        message: a regular expression of what the message must say.
    """

    name: str
    kind: str
    make: Make
    stage: str
    allowed: str
    images: tuple[str, ...]
    injected: tuple[str, ...] = ()
    also: str = ""
    because: str = ""
    saying: str = ""
    unnamed: Mapping[str, str] = field(default_factory=dict)
    inject: Callable[[Deployment], None] | None = None
    never: tuple[str, ...] = ()
    message: str = ""

    @property
    def is_own_engine(self) -> bool:
        """Whether nothing of paddleocr runs in the candidate, so that no setting of it can be the way out."""
        return isinstance(self.make(None, ()), (Foreign, Boxes))


CLOSE = {"colours.png": "its three boxes are wider than they lie apart, where enlarged ones look like scaled ones"}


class Boxes:
    """An engine that hands out plain polygons and nothing else."""

    def __init__(self, port: Foreign) -> None:
        self.port = port

    def trace(self, image: Any) -> list[Any]:
        detections = self.port.trace(image).detections
        assert detections is not None
        return list(detections.polygons)


def failure(reference: Trace, candidate: Any) -> DifferenceError | None:
    """Return what the README's assertions raise; of boxes alone, the last of them.

    Without its traceback, whose frames hold the arrays of both sides until the next full collection.
    """
    if isinstance(candidate, Trace) and candidate.stages != ("detections",):
        error = first_failure(reference, candidate)
        return None if error is None else error.with_traceback(None)
    try:
        assert_same_detections(reference, candidate)
    except DifferenceError as error:
        return error.with_traceback(None)
    return None


def port(cures: Mapping[str, tuple[str, ...]] | None = None, *, plain: bool = False, **hooks: Any) -> Make:
    """Return a maker of a foreign port.

    `cures` holds, by cause, the hooks that somebody puts right who follows that cause's fix; without it, all of them.
    """

    def make(_: Any, followed: Collection[str]) -> Any:
        cured = {hook for cause in followed for hook in (hooks if cures is None else cures.get(cause, ()))}
        cured -= {"has_source", "recorded", "parameters"}
        made = Foreign(**{name: value for name, value in hooks.items() if name not in cured})
        return Boxes(made) if plain else made

    return make


def wrapped(wrap: Callable[[Any], Any]) -> Make:
    """Return a maker of a wrapper around the real inference side, which whoever follows a fix takes away."""
    return lambda inference, followed: inference if followed or inference is None else wrap(inference)


def kept(wrap: Callable[[Any], Any]) -> Make:
    """Return a maker of a wrapper that is right, around a deployment whose files are not."""
    return lambda inference, _: wrap(inference)


@dataclass(frozen=True)
class Table:
    """Writes the cases of a kind."""

    kind: str
    images: tuple[str, ...]
    common: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, name: str, make: Make, expected: str, *injected: str, **more: Any) -> NearMiss:
        """Write a case whose expectation is stage:cause; causes that are codes are the injected ones."""
        stage, allowed = expected.split(":")
        truly = injected or (() if allowed == "unknown" else (allowed,))
        values = {"kind": self.kind, "images": self.images, **self.common, **more}
        return NearMiss(name=name, make=make, stage=stage, allowed=allowed, injected=truly, **values)
