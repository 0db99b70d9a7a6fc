"""`python -m endurance.load ...`: pytest with these arguments as on a loaded machine, see `make loaded`.

All of it runs on one core, which two other programs take as much of as they get, and at a lower priority than theirs: a
fifth to a quarter of a core is left, in slices, for what has both cores elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys

NICE = 2
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"


def main(args: list[str]) -> int:
    """Return pytest's exit status."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        os.nice(NICE)
        return subprocess.run([sys.executable, "-m", "pytest", *args], check=False).returncode
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
