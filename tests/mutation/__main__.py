"""`python -m mutation [FILE...] [--sample N]`: try the mutants of the core, or of some of its files, or N drawn of all.

Prints those that no test notices and the score, and fails where it is below what is asked. `equivalent.toml` holds the
mutants that change nothing, with the reason.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import sys
from pathlib import Path

import tomllib

from mutation.core import TESTS, files_of_core, mirrors
from mutation.mutants import Module, Mutant
from mutation.trial import ALIVE, ENDLESS, NO_CODE, run

ASKED, EXCUSED = 0.95, 0.02
"""The share of mutants that tests have to notice, and what of it may be equivalent ones."""
SEED = "21"
# Loaded before all forks, as each that loads its modules anew would load these as well.
HEAVY = (
    "numpy",
    "scipy.optimize",
    "scipy.ndimage",
    "shapely",
    "msgspec",
    "zstandard",
    "PIL.Image",
    "jinja2",
    "rapidfuzz",
)


def main(arguments: list[str]) -> int:
    """Return 1 where the score is too low."""
    parser = argparse.ArgumentParser(prog="python -m mutation")
    parser.add_argument("files", nargs="*", help="files below pytest_ocrparity, as compare/judge.py")
    parser.add_argument("--sample", type=int, help="how many to draw: the same as long as their lines stay")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args(arguments)
    package = Path.cwd() / "pytest_ocrparity"
    files = [package / name for name in given.files] or files_of_core(package)
    modules = {str(file): Module(file) for file in files}
    mutants = [mutant for module in modules.values() for mutant in module.mutants]
    if given.sample is not None:
        mutants = sorted(mutants, key=lambda mutant: _lot(mutant, modules[mutant.module], package))[: given.sample]
    for name in HEAVY:
        importlib.import_module(name)
    equivalent = _equivalent()
    tried, noticed, endless, excused = 0, 0, 0, 0
    found = run(modules, mutants, TESTS, {str(file): mirrors(file, package) for file in files}, given.jobs)
    for mutant, became in found:
        tried += became != NO_CODE
        noticed += became not in (ALIVE, NO_CODE)
        endless += became == ENDLESS
        if became == ALIVE:
            old, new = modules[mutant.module].change(mutant)
            if (old, new) in equivalent:
                excused += 1
            else:
                print(_text(mutant, package, old, new), flush=True)
    score = (noticed + min(excused, int(EXCUSED * tried))) / tried
    print(
        f"{tried} mutants, {noticed} noticed ({endless} as tests did not end), {excused} equivalent: "
        f"{score:.1%} (at least {ASKED:.0%} is asked)"
    )
    return int(score < ASKED)


def _lot(mutant: Mutant, module: Module, package: Path) -> bytes:
    """Return what a mutant is drawn by: of its own line, so that a change elsewhere draws no other ones."""
    line = module.source.splitlines()[mutant.line - 1].strip()
    key = SEED, str(module.path.relative_to(package)), mutant.function, mutant.operator, line, mutant.column
    return hashlib.sha256(repr(key).encode()).digest()


def _equivalent() -> set[tuple[str, str]]:
    table = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text(encoding="utf-8"))
    return {(each["old"], each["new"]) for each in table.get("mutant", [])}


def _text(mutant: Mutant, package: Path, old: str, new: str) -> str:
    place = f"{Path(mutant.module).relative_to(package)}:{mutant.line}"
    return f"{place} {mutant.operator} in {mutant.function or 'the module'}\n  - {old}\n  + {new}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
