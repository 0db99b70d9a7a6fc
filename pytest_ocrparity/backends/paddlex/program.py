"""An exported program read and run without Paddle Inference: its stored arrays, and its plain execution.

Two formats: the program of a `.json` goes through `paddle.jit.load`, that of a `.pdmodel` through the static executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Array


def program_arrays(program: Path) -> dict[str, Array]:
    """Return the parameters of a program by the name they have in it, in the order of their use where that is known.

    Raises whatever paddle raises.
    """
    with isolated():
        if program.suffix == ".json":
            layer = _load_layer(program)
            # PIR appends its own counter to a parameter's name.
            return _in_order_of_use(
                {value.name: value.numpy() for value in layer.state_dict().values()}, _parameters_in_order_of_use(layer)
            )
        with load_legacy_program(program) as (executed, scope, _):
            names = [each.name for each in executed.list_vars() if each.persistable]
            arrays = {
                name: np.array(scope.find_var(name).get_tensor()) for name in names if name not in ("feed", "fetch")
            }
            return _in_order_of_use(arrays, _used_by_legacy_program(executed))


def _in_order_of_use(arrays: Mapping[str, Array], used: Iterable[str]) -> dict[str, Array]:
    """Return arrays with those first that are used, in that order; an empty one is the state of a layer's dropout."""
    names = dict.fromkeys((*used, *arrays))
    return {name: arrays[name] for name in names if name in arrays and arrays[name].size}


def _parameters_in_order_of_use(layer: Any) -> list[str]:
    """Return the names of a program's parameters in the order in which its operators take them."""
    found = []
    try:
        for operator in layer.program().global_block().ops:
            makers = [operand.source().get_defining_op() for operand in operator.operands()]
            taken = [maker for maker in makers if maker is not None and maker.name() == "builtin.parameter"]
            found += [str(maker.attrs()["parameter_name"]) for maker in taken]
    except Exception:  # a paddle whose programs are looked into in another way: the order is not known
        return []
    return found


ROLES: Final = {"Mean": 0, "Variance": 1, "Bias": 3}
"""Where a slot of an operator stands among the others: in the order that newer programs have."""


def _used_by_legacy_program(program: Any) -> list[str]:
    found = []
    for operator in program.global_block().ops:
        for slot in sorted(operator.input_names, key=lambda name: ROLES.get(name, 2)):
            found += operator.input(slot)
    return found


def program_fixed_size(program: Path) -> tuple[int, int] | None:
    """Return the height and width that a program was exported for, or None where it takes any."""
    height, width = _input_shape(program)[-2:]
    return (height, width) if height > 0 and width > 0 else None


def is_program_in_train_mode(program: Path) -> bool | None:
    """Return whether a program was written in training mode: whether its batch norm takes the statistics of a batch.

    None where it has no batch norm, or where paddle does not tell. Paddle Inference takes the stored ones all the same.
    """
    with isolated():
        if program.suffix == ".json":
            layer = _load_layer(program)  # kept, as its operators go with it
            operators = [
                (each.name(), each.attrs().get("use_global_stats")) for each in layer.program().global_block().ops
            ]
        else:
            with load_legacy_program(program) as (executed, _, _):
                operators = [
                    (each.type, each.attr("use_global_stats") if each.has_attr("use_global_stats") else None)
                    for each in executed.global_block().ops
                ]
    stated = [uses for name, uses in operators if "batch_norm" in name and uses is not None]
    return not all(stated) if stated else None


def program_batch_refusal(program: Path, count: int, error: str) -> str:
    """Return why a program may refuse a batch, nothing where it takes any number of images, or numpy raised this."""
    taken = count if "input arrays must have the same shape" in error else _input_shape(program)[0]
    if taken in (-1, count):
        return ""
    return (
        f"the program was exported for a batch of {taken} alone, and was given {count} images; export with a free "
        "first dimension, the input shape [None, 3, -1, -1], or deploy without batches"
    )


def _input_shape(program: Path) -> tuple[int, ...]:
    """Return the shape of a program's input, -1 where any size is right."""
    with isolated():
        if program.suffix == ".json":
            shape = _load_layer(program)._input_spec()[0].shape
        else:
            with load_legacy_program(program) as (executed, _, (feeds, _)):
                shape = executed.global_block().var(feeds[0]).shape
    return tuple(-1 if side is None else int(side) for side in shape)


def plain_program_run(program: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Return a function that runs a program without an engine's passes, and returns its first output.

    It takes more memory than an engine does, and raises NotEnoughMemory where that is not there.
    """

    def bare(tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with isolated():
            import paddle

            if program.suffix == ".json":
                with paddle.no_grad():
                    output = _load_layer(program)(paddle.to_tensor(np.ascontiguousarray(tensor)))
                first = output[0] if isinstance(output, list | tuple) else output
                return np.asarray(first.numpy(), np.float32)
            with load_legacy_program(program) as (executed, _, (feeds, fetches)):
                executor = paddle.static.Executor(paddle.CPUPlace())
                outputs = executor.run(executed, feed={feeds[0]: np.ascontiguousarray(tensor)}, fetch_list=fetches)
                return np.array(outputs[0], np.float32)

    memory = MemoryGuard(bare, {"program": program.name}, limit=None)

    def run(tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP)
        return bare(tensor)

    return run


def _load_layer(program: Path) -> Any:
    import paddle

    layer = paddle.jit.load(str(program.with_suffix("")))
    layer.eval()
    return layer


@contextmanager
def scope_of_its_own() -> Iterator[Any]:
    """Let programs keep their arrays in a scope that ends with the block, as paddle keeps each scope that was made.

    What a run returns may be memory of the scope: copy it.
    """
    import paddle

    scope = paddle.static.Scope()
    try:
        with paddle.static.scope_guard(scope):
            yield scope
    finally:
        scope._remove_from_pool()


@contextmanager
def load_legacy_program(program: Path) -> Iterator[tuple[Any, Any, tuple[Any, Any]]]:
    """Load a `.pdmodel`: itself, the scope of its arrays, and the names of its inputs with its outputs."""
    import paddle

    was_dynamic = paddle.in_dynamic_mode()
    with paddle.pir_utils.OldIrGuard():
        paddle.enable_static()
        try:
            with scope_of_its_own() as scope:
                executor = paddle.static.Executor(paddle.CPUPlace())
                loaded, feeds, fetches = paddle.static.load_inference_model(str(program.with_suffix("")), executor)
                yield loaded, scope, (feeds, fetches)
        finally:
            if was_dynamic:
                paddle.disable_static()
