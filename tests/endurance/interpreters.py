"""Two workers of xdist, of this interpreter or each of one of its own."""

from __future__ import annotations

import sys
import venv
from pathlib import Path


def another_interpreter(folder: Path) -> Path:
    """Make another interpreter, which finds the packages of this one."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    paths = [path for path in sys.path if Path(path).is_dir() and "site-packages" in path]
    (packages / "these.pth").write_text("\n".join([*paths, str(Path(__file__).parents[2])]))
    return folder / "bin" / "python"


def two_workers(kind: str, folder: Path) -> list[str]:
    """Return the arguments for two workers of a kind, "-n 2" or "--tx"; interpreters are made in the folder."""
    if kind == "-n 2":
        return ["-n", "2"]
    others = [another_interpreter(folder / name) for name in ("one", "two")]
    return ["--dist", "load", *(word for path in others for word in ("--tx", f"popen//python={path}"))]
