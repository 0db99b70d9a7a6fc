"""The generator: each kind changes what it says and nothing else, each export has the fault, a seed gives its list."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from layers.calls import Calls
from layers.drawing import LIST, MARGIN, PER_KIND, draw, how_far
from layers.faults import Fault
from layers.forms import write_form
from layers.kinds import KINDS
from layers.lists import CLEANS, FAULTS, run_exports
from layers.networks import Subject
from layers.structure import fuse
from pytest_ocrparity.backends.isolation import isolated

Subjects = Callable[[str], Subject]
Array = npt.NDArray[Any]
OPERATORS = {
    "epsilon": {"batch_norm_"},
    "activation": {"relu", "relu6", "leaky_relu", "hardswish", "swish", "hardsigmoid", "sigmoid"},
    "interpolation": {"nearest_interp", "bilinear_interp", "bicubic_interp"},
    "dilation": {"conv2d", "depthwise_conv2d"},
    "padding": {"conv2d", "depthwise_conv2d", "pad3d"},
    "stride": {"conv2d", "depthwise_conv2d", "pool2d"},
}
"""By kind that changes operators of a program, which of them."""
ADDED = {"full", "full_int_array", "combine", "assign_value", "scale", "shape", "shape64", "slice", "cast", "stack"}
"""Operators that hold the arguments of others."""


def test_the_list_is_as_long_as_asked_and_has_each_kind_in_each_network() -> None:
    assert len(FAULTS) >= 200
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.moved > MARGIN for fault in FAULTS)
    assert len(CLEANS) == len(set(CLEANS)) == 30
    for network, forms in PER_KIND.items():
        kinds = Counter(fault.kind for fault in FAULTS if fault.network == network)
        assert kinds == {kind: sum(forms.values()) for kind in KINDS}
    assert json.loads(LIST.read_text())["draws"].keys() == {
        f"{network}-{form}" for network, forms in PER_KIND.items() for form in forms
    }


@pytest.mark.parametrize("network", ["tiny", "branches"])
def test_a_seed_gives_its_list_and_another_seed_another(network: str, subjects: Subjects) -> None:
    written = [fault for fault in FAULTS if (fault.network, fault.form) == (network, "pdmodel")]
    drawn = draw(subjects(network), "pdmodel", 1)
    assert [fault.name for fault in drawn.faults] == [fault.name for fault in written]
    assert drawn.draws >= len(written)
    kinds = ("weight", "number", "epsilon")
    first, other = (draw(subjects(network), "pdmodel", 1, seed, kinds) for seed in (1, 2))
    assert [fault.name for fault in first.faults] != [fault.name for fault in other.faults]


def firsts(network: str) -> Iterator[Fault]:
    """Yield the first fault of each kind for the new program."""
    for kind in KINDS:
        yield next(fault for fault in FAULTS if (fault.network, fault.form, fault.kind) == (network, "pir", kind))


def stored(network: Any) -> dict[str, Array]:
    """Return copies of what a network stores, by dotted name."""
    return {name: np.array(value.numpy()) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("fault", [*firsts("tiny"), *firsts("branches")], ids=lambda fault: fault.name)
def test_a_fault_changes_the_stored_values_that_it_says_and_no_others(fault: Fault, subjects: Subjects) -> None:
    with isolated():
        network = subjects(fault.network).network()
        if not fault.is_before_fusion():
            fuse(network)
        before = stored(network)
        changes = fault.inject(network)
        after = stored(network)
    names = [name for name in before if not np.array_equal(before[name], after[name])]
    kept = {"weight": "weight", "kernel": "weight", "number": "weight", "bias": "bias", "mean": "_mean"}
    kept |= {"variance": "_variance"}
    if fault.kind in kept:
        assert names == [f"{fault.layer}.{kept[fault.kind]}"]
        assert not changes
        assert _is_as_drawn(fault, before[names[0]], after[names[0]])
    elif fault.kind == "pruned":
        assert {name.rpartition(".")[0] for name in names} == {fault.layer}
        axis = 1 if fault.operator == "conv2dtranspose" else 0
        for name in names:
            whole = np.moveaxis(after[name], axis if after[name].ndim > 1 else 0, 0)
            assert not whole[fault.arguments["channel"]].any()
    else:
        assert names == []
        assert fault.kind in ("epsilon", "dilation", "padding") or changes.keys() == {fault.key}


def _is_as_drawn(fault: Fault, before: Array, after: Array) -> bool:
    arguments, expected = fault.arguments, before.copy()
    if "channel" in arguments:
        axis = 1 if fault.operator == "conv2dtranspose" else 0
        np.moveaxis(expected, axis, 0)[arguments["channel"]] *= np.float32(arguments["factor"])
    else:
        place = slice(None) if arguments.get("place") is None else arguments["place"]
        if "factor" in arguments:
            expected.reshape(-1)[place] *= np.float32(arguments["factor"])
        else:
            expected.reshape(-1)[place] += np.float32(arguments["step"])
    return bool(np.array_equal(expected, after))


def exported(subject: Subject, fault: Fault | None, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Write a program; return its operators and its parameters by dotted name."""
    network, changes = subject.faulty(fault)
    folder.mkdir()
    calls = write_form(network, "pir", folder, changes)
    assert [call.key for call in calls.made] == [call.key for call in subject.structure("pir").exported.made]
    document = json.loads((folder / "inference.json").read_text())
    with isolated():
        import paddle

        names = {value.name: name for name, value in network.state_dict(use_hook=False).items()}
        rows = document["program"]["regions"][0]["blocks"][0]["ops"]
        held = sorted(row["A"][3] for row in rows if row["#"] == "p")
        values = {name: np.array(paddle.to_tensor(network.state_dict()[names[name]]).numpy()) for name in held}
    operators = [row for row in rows if row["#"] != "p"]
    return operators, {names[name]: value for name, value in values.items()}


def plain(operator: Mapping[str, Any]) -> str:
    """Return what an operator computes of what, without where the program wrote its values."""
    attributes = sorted(json.dumps(each) for each in operator["A"] if each["N"] not in ("struct_name", "name"))
    return f"{operator['#'].partition('.')[2]} {attributes}"


@pytest.mark.parametrize("network", ["tiny", "branches"])
def test_a_program_differs_where_the_fault_is_and_a_right_one_nowhere(
    network: str, subjects: Subjects, tmp_path: Path
) -> None:
    subject = subjects(network)
    operators, parameters = exported(subject, None, tmp_path / "right")
    again, same = exported(subject, None, tmp_path / "again")
    assert list(map(plain, operators)) == list(map(plain, again))
    assert all(np.array_equal(parameters[name], same[name]) for name in parameters)
    structure = subject.structure("pir")
    kinds = ("kernel", "variance", "swapped", *OPERATORS)
    for number, fault in enumerate(fault for fault in firsts(network) if fault.kind in kinds):
        wrong, values = exported(subject, fault, tmp_path / str(number))
        changed = {name for name in values if not np.array_equal(parameters[name], values[name])}
        assert {name.rpartition(".")[0] for name in changed} <= fault.right_names(structure), fault
        before, after = Counter(map(plain, operators)), Counter(map(plain, wrong))
        new = {text.partition(" ")[0] for text in after - before} - ADDED
        gone = {text.partition(" ")[0] for text in before - after} - ADDED
        is_of_branches = fault.kind == "epsilon" and len(fault.right_names(structure)) > 1
        if fault.kind == "swapped":  # what nothing reads any more is not exported
            assert not changed and not new, fault
            assert values.keys() <= parameters.keys()
        elif fault.kind in OPERATORS and not is_of_branches:
            assert not changed and values.keys() == parameters.keys(), fault
            assert new and new | gone <= OPERATORS[fault.kind], fault
        else:
            assert changed and not new | gone, fault


@pytest.mark.parametrize("fault", run_exports(), ids=lambda fault: fault.name)
def test_an_export_computes_what_the_faulty_network_does(fault: Fault, subjects: Subjects, tmp_path: Path) -> None:
    subject = subjects(fault.network)
    tensor, reference = np.asarray(subject.reference.tensor), np.asarray(subject.reference.probability_map)
    network, changes = subject.faulty(fault)
    with isolated():
        import paddle

        with Calls(network, changes), paddle.no_grad():
            expected = network(paddle.to_tensor(tensor))["maps"].numpy()
    candidate = subject.export(fault, fault.form, tmp_path)
    found = candidate.infer(tensor)
    assert np.abs(found - expected).max() < subject.limit
    assert np.abs(found - reference).max() > subject.limit


def test_a_change_too_small_to_see_moves_the_map_too_little(subjects: Subjects) -> None:
    fault = next(fault for fault in FAULTS if (fault.network, fault.kind) == ("tiny", "weight"))
    assert how_far(subjects("tiny"), fault) > MARGIN
    assert how_far(subjects("tiny"), replace(fault, arguments={"factor": 1.0})) < 0.1
