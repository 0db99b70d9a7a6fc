"""`python -m pytest_ocrparity COMMAND`: what can be asked without running a test."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Final

from pytest_ocrparity.commands import deploying, fixing, initialising, judging, layering
from pytest_ocrparity.errors import OcrParityError, SettingsError
from pytest_ocrparity.wording import printable

COMMANDS: Final[dict[str, tuple[ModuleType, str]]] = {
    "init": (initialising, "look at a folder, and write settings and tests for what is found"),
    "deploy": (deploying, "print the calls under which a deployment does what the training YAML file evaluates"),
    "fix": (fixing, "print the fixes that a run has proved as changes to apply"),
    "layers": (layering, "compare an export with its trained network layer by layer, on one image"),
    "judge": (judging, "judge the results of a run again under other limits"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0].endswith(".json"):  # before there were commands, only `judge` was there
        words.insert(0, "judge")
    parser = argparse.ArgumentParser(
        prog="python -m pytest_ocrparity",
        description="What can be asked without a test. `COMMAND --help` says more of each.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=text, description=module.DESCRIPTION))
    given = parser.parse_args(words)
    status: int
    try:
        lines, status = COMMANDS[given.command][0].run(given)
    except OcrParityError as error:
        # Settings are wrong by a line for each mistake; elsewhere a line break is of a name that a file holds.
        texts = str(error).splitlines() if isinstance(error, SettingsError) else [str(error)]
        for text in texts:
            print(f"{parser.prog} {given.command}: {printable(text)}", file=sys.stderr)
        return 2
    _print_lines(lines)
    return status


def _print_lines(lines: Iterable[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of a name that the terminal's encoding does not have
    try:
        for line in lines:
            print(printable(line))
        sys.stdout.flush()
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
