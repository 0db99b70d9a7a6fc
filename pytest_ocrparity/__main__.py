"""`python -m pytest_ocrparity COMMAND`: what can be asked without running a test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from pytest_ocrparity.commands import deploying, fixing, initialising, judging, layering

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
    parser = argparse.ArgumentParser(prog="python -m pytest_ocrparity")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=text, description=module.DESCRIPTION))
    given = parser.parse_args(words)
    status: int = COMMANDS[given.command][0].run(given, f"{parser.prog} {given.command}")
    return status


if __name__ == "__main__":
    sys.exit(main())
