"""`python -m benchmarks [NAME]`: measure all rows, or those of a module, print them, write build/bench.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import gates, kernels

MODULES = {"kernels": kernels, "gates": gates}


def main(names: list[str]) -> int:
    """Return 1 where a bound does not hold."""
    print("| what | against | measured | bound | holds | |\n|---|---|---|---|---|---|", flush=True)
    rows = []
    for name in names or MODULES:
        for row in MODULES[name].rows():
            print(row.line(), flush=True)
            rows.append(row)
    facts = [
        {"name": f"{row.name} / {row.against}", "ratio": row.ratio, "bound": row.bound, "holds": row.holds}
        for row in rows
    ]
    path = Path("build", "bench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts, indent=1))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
