"""The flags of PaddleOCR's `tools/infer` scripts: which parameter each sets, and whether a user's are right.

The parser is the checkout's own, so that a flag means here what it means on its command line.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final

from pytest_ocrparity.diagnosis import Change, Fix
from pytest_ocrparity.errors import ModelError, did_you_mean

FLAG_OF: Final = {
    **{"limit_side_len": "det_limit_side_len", "limit_type": "det_limit_type", "thresh": "det_db_thresh"},
    **{"box_thresh": "det_db_box_thresh", "unclip_ratio": "det_db_unclip_ratio"},
    **{"use_dilation": "use_dilation", "score_mode": "det_db_score_mode", "box_type": "det_box_type"},
}
"""The flag of PaddleOCR's `predict_det.py` that sets each parameter."""

REC_FLAG_OF: Final = {"image_shape": "rec_image_shape"}
"""The same of `predict_rec.py`."""

RESERVED: Final = {"det_model_dir": "model_dir", "rec_model_dir": "model_dir", "image_dir": "images"}
"""The flags that have a setting of their own, with its name."""

SWITCHES: Final = ("true", "t", "yes", "y", "1", "false", "f", "no", "n", "0")
"""The words of a flag that is true or false. The script's own reader takes any other for false."""


class _Parser(ArgumentParser):
    """Raises what argparse would print before it ends the process."""

    def error(self, message: str) -> Any:
        raise ModelError(f"inference.options: {message}")


def parsed_flags(parser: ArgumentParser, options: Mapping[str, Any], script: str) -> Namespace:
    """Return the arguments of a script: the user's flags over its defaults.

    Args:
        parser: the checkout's own, from `utility.init_args`.
        options: the setting `inference.options`.
        script: its file name, for messages.

    Raises:
        ModelError: a flag is unknown, has a setting of its own, or has a value that the parser refuses.
    """
    known = {action.dest: action for action in parser._actions if action.dest != "help"}
    words = []
    for name, value in options.items():
        if name in RESERVED:
            raise ModelError(f"inference.options: {name} has a setting of its own: set {RESERVED[name]}")
        if name not in known:
            # An option of paddleocr's class is a flag under the script's task: there are flags of other tasks as near.
            own = f"{script.removeprefix('predict_').removesuffix('.py')}_{name}"
            flags = [each for each in known if each not in RESERVED]
            near = f"did you mean {own!r}?" if own in flags else did_you_mean(name, flags)
            raise ModelError(f"inference.options: {name} is no flag of this {script}; {near}")
        is_list = isinstance(value, list)
        if is_list and known[name].nargs is None:
            raise ModelError(f"inference.options: {name} is {value!r}; {script} takes one value of it, as a text")
        if getattr(known[name].type, "__name__", "") == "str2bool" and str(value).lower() not in SWITCHES:
            raise ModelError(f"inference.options: {name} is {value!r}, not true or false")
        words += [f"--{name}", *map(str, value)] if is_list else [f"--{name}={value}"]
    parser.__class__ = _Parser
    return parser.parse_args(words)


def flag_words(values: Mapping[str, Any]) -> str:
    """Return flags as a command line has them."""
    return " ".join(f"--{name}={value}" for name, value in values.items())


def flag_values(
    flags: Mapping[str, str], current: Mapping[str, Any], wanted: Mapping[str, Any], script: str
) -> dict[str, Any]:
    """Return the flags that give some parameters these values.

    Args:
        flags: `FLAG_OF` or `REC_FLAG_OF`.
        current: the values that ran, by parameter name.
        wanted: those to be set.
        script: its file name, for messages.

    Raises:
        ValueError: no flag sets one of them.
    """
    changed = {name: value for name, value in wanted.items() if value != current.get(name)}
    if unknown := [name for name in changed if name not in flags]:
        raise ValueError(f"{script} has no flag that sets {', '.join(unknown)}")
    return {flags[name]: _flag_value(value) for name, value in changed.items()}


def _flag_value(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def flags_fix(values: Mapping[str, Any], script: str) -> Fix:
    """Return how a user passes flags to a script."""
    if not values:
        raise ValueError("nothing was given that a flag sets")
    text = f"pass {flag_words(values)} to {script}; for this test, add the same to inference.options"
    return Fix(text, (Change("inference.options", dict(values)),))
