"""Exports, checkpoints, ymls and lines of a recogniser that were really made wrong.

An export takes a second to write, and cases run on several lines, so that each is written once.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from faults.deployment import EXAMPLE
from faults.recognition.deployment import CONFIG, DICTIONARY, PROGRAM, LineDeployment, checkpoint, files_of, network
from pytest_ocrparity.backends.isolation import isolated

State = Mapping[str, Any]
OWN = Path(__file__).with_name("own_networks.py")


def own(name: str) -> Any:
    """Return a builder of own_networks.py, which imports the example's network as a user's project does."""
    folders = [str(EXAMPLE), str(OWN.parent)]
    sys.path[:0] = folders
    try:
        with isolated():
            import own_networks  # type: ignore[import-not-found]
    finally:
        del sys.path[: len(folders)]
    return getattr(own_networks, name)


@cache
def _written(make: Callable[[], tuple[Any, Sequence[int | None]]]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder, isolated():
        made, shape = make()
        return files_of(made, Path(folder), shape)


def of_state(change: Callable[[dict[str, Any]], State]) -> Callable[[LineDeployment], None]:
    """Export the checkpoint with its arrays changed."""

    def make() -> tuple[Any, Sequence[int | None]]:
        return network(state=dict(change(dict(checkpoint())))), PROGRAM

    return lambda d: d.write_export(_written(make))


def of_network(
    name: str, *, trains: bool = False, train_name: str | None = None, shape: Sequence[int | None] = tuple(PROGRAM)
) -> Callable[[LineDeployment], None]:
    """Export a network of own_networks.py, in training mode where it `trains`.

    The trained side is `train_name` of that file, or the example's.
    """

    def make() -> tuple[Any, Sequence[int | None]]:
        made = network(own(name)) if name else network()
        if trains:
            made.train()
        return made, shape

    def inject(d: LineDeployment) -> None:
        d.write_export(_written(make))
        if train_name is not None:
            train_with(d, train_name)

    return inject


def train_with(d: LineDeployment, name: str) -> None:
    shutil.copy(OWN, d.folder / "own_networks.py")
    d.train["network"] = f"own_networks:{name}"


# The arrays.


def aliased(state: State) -> State:
    """Give both names of an array of the BiLSTM, which paddle stores twice, the same values."""
    cells = {"": "fw", "_reverse": "bw"}
    names = [(kind, tail) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for tail in cells]
    twins = {f"context.0.cell_{cells[tail]}.{kind}": state[f"context.{kind}_l0{tail}"] for kind, tail in names}
    return {**state, **twins}


def is_kernel(value: Any) -> bool:
    return bool(value.ndim >= 2)


def moved(state: State) -> State:
    """Another epoch's weights: each kernel moved by a few percent of its own size."""
    random = np.random.default_rng(7)
    found = {
        key: (value + random.normal(0, 0.04 * value.std(), value.shape)).astype(value.dtype)
        if is_kernel(value)
        else value
        for key, value in state.items()
    }
    return aliased(found)


def half(state: State) -> State:
    return {
        key: value.astype(np.float16).astype(value.dtype) if is_kernel(value) else value for key, value in state.items()
    }


def all_half(state: State) -> State:
    return {key: value.astype(np.float16).astype(value.dtype) for key, value in state.items()}


def eight_bits(state: State, *, per_channel: bool = True) -> State:
    def rounded(value: Any) -> Any:
        if not is_kernel(value):
            return value
        sides = tuple(range(1, value.ndim)) if per_channel else None
        step = np.maximum(np.abs(value).max(axis=sides, keepdims=True), 1e-12) / 127
        return (np.round(value / step) * step).astype(value.dtype)

    return {key: rounded(value) for key, value in state.items()}


def eight_bits_per_tensor(state: State) -> State:
    return eight_bits(state, per_channel=False)


def fresh() -> dict[str, Any]:
    return {key: np.asarray(value.numpy()) for key, value in network(state={}, seed=3).state_dict().items()}


def not_loaded(state: State) -> State:
    return fresh()


def without(*beginnings: str) -> Callable[[State], State]:
    """Leave the keys that begin so at what they were before training."""

    def change(state: State) -> State:
        untrained = fresh()
        return {key: untrained[key] if key.startswith(beginnings) else value for key, value in state.items()}

    return change


def changed(key: str, change: Callable[[Any], Any]) -> Callable[[State], State]:
    def apply(state: State) -> State:
        return {**state, key: np.asarray(change(state[key].copy()), state[key].dtype)}

    return apply


def directions_swapped(state: State) -> State:
    """The two directions of the LSTM in each other's place."""
    found = dict(state)
    for key in state:
        if key.startswith("context.") and key.endswith("_reverse"):
            plain = key.removesuffix("_reverse")
            found[plain], found[key] = state[key], state[plain]
    return aliased(found)


def overflowed(value: Any) -> Any:
    value[0, 0, 0, 0] = np.inf
    return value


def not_a_number(value: Any) -> Any:
    value[3] = np.nan
    return value


def beside(change: Callable[[Any], State], name: str = "tiny_rec_latest") -> Callable[[LineDeployment], None]:
    """Write a second checkpoint beside the first."""

    def inject(d: LineDeployment) -> None:
        with isolated():
            import paddle

            state = {key: paddle.to_tensor(value) for key, value in change(dict(checkpoint())).items()}
            paddle.save(state, str(d.folder / "checkpoints" / f"{name}.pdparams"))

    return inject


def wrong_fusion(*, is_right: bool = False) -> Callable[[LineDeployment], None]:
    """A network with branches to fuse, exported without one of them; or right."""

    def split() -> dict[str, Any]:
        state = dict(checkpoint())
        whole = state.pop("backbone.0.0.weight")
        narrow = 0.5 * whole[:, :, 1:2, 1:2]
        state["backbone.0.0.narrow.weight"] = narrow
        state["backbone.0.0.wide.weight"] = whole - np.pad(narrow, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return state

    def make(factor: float) -> tuple[Any, Sequence[int | None]]:
        made = network(own("branched"), state=split())
        narrow = made.backbone[0][0].narrow.weight
        trained = narrow.numpy()
        narrow.set_value(np.float32(factor) * trained)
        made.backbone[0][0].rep()
        narrow.set_value(trained)
        return made, PROGRAM

    wrong, right = cache(lambda: make(0.0)), cache(lambda: make(1.0))

    def inject(d: LineDeployment) -> None:
        beside(lambda _: split(), "branched")(d)
        d.train["checkpoint"] = "checkpoints/branched"
        train_with(d, "branched")
        d.write_export(_written(right if is_right else wrong))
        d.export_again = lambda: d.write_export(_written(right))

    return inject


def other_sub_model(d: LineDeployment) -> None:
    """A Distillation yml whose evaluation is of Student, and whose export is of Student2."""

    def distil(document: dict[str, Any]) -> None:
        one = {key: value for key, value in document["Architecture"].items() if key != "model_type"}
        models = {"Student": one, "Student2": dict(one)}
        document["Architecture"] = {"model_type": "rec", "algorithm": "Distillation", "Models": models}
        document["PostProcess"] |= {"name": "DistillationCTCLabelDecode", "model_name": ["Student"], "key": None}

    d.edit(d.train_yml, distil)
    train_with(d, "pair")
    d.train |= {"sub_model": "Student", "checkpoint": "checkpoints/pair"}
    states = {"Student": checkpoint(), "Student2": moved(dict(checkpoint()))}
    together = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
    beside(lambda _: together, "pair")(d)
    of_state(moved)(d)


def other_head(classes: int, entries: Sequence[str]) -> Callable[[LineDeployment], None]:
    """The export of another head, with more classes and a dictionary of as many."""

    def make() -> tuple[Any, Sequence[int | None]]:
        state, made = dict(checkpoint()), network(classes=classes, state={}, seed=5)
        own_head = {key: np.asarray(value.numpy()) for key, value in made.state_dict().items() if "classify" in key}
        for key, value in own_head.items():
            value = value.copy()
            value[..., :42] = state[key]
            state[key] = value
        return network(classes=classes, state=state), PROGRAM

    def inject(d: LineDeployment) -> None:
        d.write_export(_written(make))
        if entries:
            dictionary(d, lambda letters: [*letters, *entries])

    return inject


# The dictionary.


def dictionary(d: LineDeployment, change: Callable[[list[str]], Any]) -> None:
    """Change the list in inference.yml."""

    def edit(document: dict[str, Any]) -> None:
        made = change(list(document["PostProcess"]["character_dict"]))
        document["PostProcess"]["character_dict"] = made
        if made is None:
            del document["PostProcess"]["character_dict"]

    d.edit(d.export_yml, edit)


def trained_dictionary(d: LineDeployment, change: Callable[[list[str]], list[str]], *, end: str = "\n") -> None:
    """Change the file that the training yml names."""
    path = d.folder / DICTIONARY
    letters = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    path.write_bytes("".join(f"{letter}{end}" for letter in change(letters)).encode())


# The lines.


def write_line(d: LineDeployment, name: str, pixels: Any) -> None:
    import cv2

    assert cv2.imwrite(str(d.folder / "lines" / name), pixels)


def line(name: str) -> Any:
    import cv2

    return cv2.imread(str(EXAMPLE / "lines" / name))


def very_wide(d: LineDeployment) -> None:
    """A line of 3,700 px at a height of 32, beyond paddlex's 3200."""
    write_line(d, "very_wide.png", np.concatenate([line("wide_receipt.png")] * 7, axis=1))


def wrong_suffix(d: LineDeployment) -> None:
    shutil.copy(EXAMPLE / "lines" / "red_on_cyan.png", d.folder / "lines" / "named.gif")


# The ymls.


def insert_operator(d: LineDeployment, name: str, arguments: Mapping[str, Any] | None, before: str) -> None:
    def insert(document: dict[str, Any]) -> None:
        transforms = document["Eval"]["dataset"]["transforms"]
        index = next(index for index, entry in enumerate(transforms) if before in entry)
        transforms.insert(index, {name: arguments})

    d.edit(d.train_yml, insert)


def replace_operator(d: LineDeployment, file: str, old: str, new: str, **arguments: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        is_train = "Eval" in document
        place = document["Eval"]["dataset"] if is_train else document["PreProcess"]
        key = "transforms" if is_train else "transform_ops"
        place[key] = [{new: arguments} if old in entry else entry for entry in place[key]]

    d.edit(file, change)


def drop_operator(d: LineDeployment, file: str, name: str) -> None:
    def change(document: dict[str, Any]) -> None:
        is_train = "Eval" in document
        place = document["Eval"]["dataset"] if is_train else document["PreProcess"]
        key = "transforms" if is_train else "transform_ops"
        place[key] = [entry for entry in place[key] if name not in entry]

    d.edit(file, change)


def letters_of_config() -> list[str]:
    """Return the example's dictionary."""
    path = EXAMPLE / Path(CONFIG["Global"]["character_dict_path"])
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def right_to_left(*, is_named: str, in_train: bool) -> Callable[[LineDeployment], None]:
    """A recogniser of Hebrew: both dictionaries hold its letters in the places of A to Z.

    `is_named` is paddlex's name of the model; `in_train`, the word "arabic" stands in the path of the dictionary.
    """

    def hebrew(letters: list[str]) -> list[str]:
        return [chr(0x05D0 + ord(each) - 65) if "A" <= each <= "Z" else each for each in letters]

    def inject(d: LineDeployment) -> None:
        trained_dictionary(d, hebrew)
        dictionary(d, hebrew)
        d.edit(d.export_yml, lambda document: document["Global"].update(model_name=is_named))
        if in_train:
            path = d.folder / "configs" / "arabic_dict.txt"
            shutil.move(d.folder / DICTIONARY, path)
            d.operator(d.train_yml, "Global", character_dict_path="./configs/arabic_dict.txt")

    return inject
