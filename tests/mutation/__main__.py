from __future__ import annotations
import sys, time, json
from pathlib import Path
import numpy, scipy.optimize, shapely, msgspec, zstandard, PIL.Image, jinja2, rapidfuzz, jsonschema  # noqa
from mutation.core import CORE, tests_of
from mutation.mutants import Module
from mutation.trial import run
import resource
root = Path.cwd()
for name in sys.argv[1:] or CORE:
    module = Module(root / "pytest_ocrparity" / name)
    start=time.time(); c=sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    ms = module.mutants
    print(name, len(ms), sum(m.function is None for m in ms), flush=True)
    n=0; alive=[]
    for mutant, outcome in run(module, ms, tests_of(name)):
        n+=1
        if outcome == "survived":
            alive.append(mutant)
            old,new = module.change(mutant)
            print(f"{name}:{mutant.line} {mutant.operator} {mutant.function}\n   - {old}\n   + {new}", flush=True)
    print(f"{name}: {n-len(alive)}/{n} killed, {time.time()-start:.0f} s, cpu {sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])-c:.0f}", flush=True)
