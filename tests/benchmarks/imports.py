"""`python -m benchmarks.imports`: where the start of a run goes, package by package, beside a bare script's.

Python's own `-X importtime`, by the clock: for an idle machine. Of several runs each package's least time is taken.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.start import one_page, seconds_size_and_output

ROUNDS = 5
LEAST = 0.05
"""Seconds from which a package has a row."""
LINE = re.compile(r"^import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)", re.MULTILINE)
NAMES = ("bare", "pytest", "baseline", "report")


def seconds_by_package(command: list[str], folder: Path) -> tuple[float, dict[str, float]]:
    """Return the seconds of a command, and those of its imports by package."""
    uncaptured = ["-s"] if "pytest" in command else []
    timed = [command[0], "-X", "importtime", *command[1:], *uncaptured]
    begun = time.monotonic()
    told, whole = seconds_size_and_output(timed, folder)[2], time.monotonic() - begun
    found: dict[str, float] = defaultdict(float)
    for own, name in LINE.findall(told):
        found[name.partition(".")[0]] += int(own) / 1e6
    return whole, found


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        project, commands = one_page(Path(place))
        runs = {name: [seconds_by_package(commands[name], project) for _ in range(ROUNDS)] for name in NAMES}
    least = {
        name: {package: min(found.get(package, 0.0) for _, found in each) for package in each[0][1]}
        for name, each in runs.items()
    }
    others = {name: min(whole - sum(found.values()) for whole, found in each) for name, each in runs.items()}
    packages = {package for found in least.values() for package, spent in found.items() if spent >= LEAST}
    shown = sorted(packages, key=lambda package: -max(found.get(package, 0) for found in least.values()))
    rows = [(f"`{package}`", [least[name].get(package, 0) for name in NAMES]) for package in shown]
    rest = [sum(spent for package, spent in least[name].items() if package not in packages) for name in NAMES]
    rows += [("all other packages", rest), ("what is no import", [others[name] for name in NAMES])]
    rows += [("in all", [sum(each[place] for _, each in rows) for place in range(len(NAMES))])]
    print("| seconds | a bare script | the script as a test | from a baseline | with a report |\n|---|---|---|---|---|")
    for words, spent in rows:
        print(f"| {words} | {' | '.join(f'{each:.2f}' for each in spent)} |")


if __name__ == "__main__":
    main()
