"""Draws the faults: `OCRPARITY_ALL_LAYERS=1 PYTHONPATH=tests:. python -m layers.drawing` writes faults.json.

A fault is kept where it moves the map beyond the gate's limit and by half as much again, so that the rounding of an
export does not hide it; else another place and other values of its kind are drawn. The list is written down: what is
searched for does not depend on who draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from layers.calls import Call, Calls
from layers.faults import Fault, layer_of
from layers.forms import FORMS
from layers.kinds import KINDS
from layers.networks import NETWORKS, Subject
from pytest_ocrparity.backends.isolation import isolated

LIST = Path(__file__).parent / "faults.json"
SEED = 18
MARGIN = 1.5
OLD_EPSILON = 1e-3
"""More than this Paddle's old program does not take."""
TRIES = 200
"""After so many draws of a kind in a row that move no map enough, the network has no such fault."""
PER_KIND: Mapping[str, Mapping[str, int]] = {
    "tiny": {"pir": 3, "pdmodel": 1, "onnx": 2, "folded": 1},
    "branches": {"pir": 2, "pdmodel": 1, "onnx": 1},
    "v5": {"pir": 2, "pdmodel": 1, "onnx": 1},
    "v3": {"pir": 2, "pdmodel": 1, "onnx": 1},
}
"""How many faults of each kind are drawn, by network and form."""


@dataclass(frozen=True)
class Drawn:
    """The faults of one network in one form, and how many were drawn for them."""

    faults: tuple[Fault, ...]
    draws: int


def draw(subject: Subject, form: str, per_kind: int, seed: int = SEED, kinds: Sequence[str] = tuple(KINDS)) -> Drawn:
    """Draw so many different faults of each kind, in turn."""
    rng = np.random.default_rng([seed, list(NETWORKS).index(subject.name), FORMS.index(form)])
    found: dict[str, Fault] = {}
    draws = 0
    for _ in range(per_kind):
        for kind in kinds:
            places = _places(subject, form, kind)
            for _ in range(TRIES if places else 0):
                fault = _draw_one(rng, subject, form, kind, places)
                draws += 1
                if fault is None or fault.name in found:
                    continue
                moved = how_far(subject, fault)
                if moved > MARGIN:
                    found[fault.name] = replace(fault, moved=moved).rounded()
                    break
    return Drawn(tuple(found.values()), draws)


def _places(subject: Subject, form: str, kind: str) -> list[tuple[Call, Any, Sequence[Call]]]:
    """Return the calls that can have such a fault, each with its layer and the calls before it."""
    structure = subject.structure(form)
    calls = (structure.trained if KINDS[kind].is_before_fusion else structure.exported).made
    layers = dict((structure.trained if KINDS[kind].is_before_fusion else structure.exported).network.named_sublayers())
    found: list[tuple[Call, Any, Sequence[Call]]] = []
    for index, call in enumerate(calls):
        layer = layer_of(call.key, layers)
        if KINDS[kind].fits(call, layer):
            found.append((call, layer, calls[:index]))
    return found


def _draw_one(
    rng: np.random.Generator,
    subject: Subject,
    form: str,
    kind: str,
    places: Sequence[tuple[Call, Any, Sequence[Call]]],
) -> Fault | None:
    call, layer, before = places[int(rng.integers(len(places)))]
    arguments = KINDS[kind].draw(rng, call, layer, before)
    if arguments is None or (form == "pdmodel" and arguments.get("epsilon", 0.0) > OLD_EPSILON):
        return None
    return Fault(subject.name, form, kind, *call.key, arguments)


def how_far(subject: Subject, fault: Fault) -> float:
    """Return by how much a fault moves the map, in limits of the gate; 0 where the size changes or it is no number."""
    reference = np.asarray(subject.reference.probability_map)
    network, changes = subject.faulty(fault)
    with isolated():
        import paddle

        with Calls(network, changes), paddle.no_grad():
            output = network(paddle.to_tensor(np.asarray(subject.reference.tensor)))["maps"].numpy()
    if output.shape != reference.shape or not np.isfinite(output).all():
        return 0.0
    return float(np.abs(output - reference).max()) / subject.limit


def read_list() -> list[Fault]:
    """Return the faults that were drawn and written down."""
    return [Fault(**row) for row in json.loads(LIST.read_text())["faults"]]


def main(names: Sequence[str]) -> None:
    """Draw for these networks; the rows of the others stay."""
    found: dict[str, Any] = json.loads(LIST.read_text()) if LIST.exists() else {"draws": {}, "faults": []}
    rows = [row for row in found["faults"] if row["network"] not in names]
    draws = {pair: count for pair, count in found["draws"].items() if pair.partition("-")[0] not in names}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            subject = Subject(name, Path(folder))
            for form, per_kind in PER_KIND[name].items():
                drawn = draw(subject, form, per_kind)
                print(f"{name} {form}: {len(drawn.faults)} faults of {drawn.draws} drawn", file=sys.stderr)
                rows += [fault.as_json() for fault in drawn.faults]
                draws[f"{name}-{form}"] = drawn.draws
    order = list(NETWORKS)
    rows.sort(key=lambda row: order.index(row["network"]))
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    LIST.write_text(f'{{"seed": {SEED}, "draws": {json.dumps(draws)},\n "faults": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    main(parser.parse_args().networks)
