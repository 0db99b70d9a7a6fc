"""A trained network as a graph: a copy is traced into a program, whose operators hooks give the names of their layers.

The copy's layers alone are hooked: nothing of paddle is replaced, and no other thread's operators are seen.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from pytest_ocrparity.backends.graphs.pir_graph import LAYER, NAMED_IN, PirGraph
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.errors import ModelError


def traced_graph(
    layer: Any, shape: Sequence[int | None], decoded: Callable[[Any], Any], names: Collection[str]
) -> PirGraph:
    """Trace a network.

    Args:
        layer: the `paddle.nn.Layer`, which stays as it is.
        shape: that of its tensor, None where any size is right.
        decoded: returns of the network's output that which is the map.
        names: the dotted names that layers are called by; a layer of another name is called by that of the nearest one
            that it lies in.

    Raises whatever paddle raises of a network that can't be traced.
    """
    folder = Path(tempfile.mkdtemp(prefix="ocrparity-"))
    try:
        graph = _traced(layer, shape, decoded, names, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(graph, shutil.rmtree, folder, ignore_errors=True)  # it is read again for each run
    return graph


def _traced(
    layer: Any,
    shape: Sequence[int | None],
    decoded: Callable[[Any], Any],
    names: Collection[str],
    folder: Path,
) -> PirGraph:
    with isolated():
        import paddle

        traced = copy.deepcopy(layer)
        traced.eval()
        _hook(traced, names)
        spec = [paddle.static.InputSpec(list(shape), "float32")]
        static = paddle.jit.to_static(traced, input_spec=spec, full_graph=True)
        outputs = static.forward.concrete_program.outputs
        whole = outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs
        wanted = decoded(whole)
        flat = [each for each in paddle.utils.flatten(outputs) if hasattr(each, "is_same")]
        paddle.jit.save(static, str(folder / "reference"))
    place = next((index for index, each in enumerate(flat) if each.is_same(wanted)), None)
    if place is None:
        raise ModelError("what the trace returns is not the map: the network may have a branch on the size")
    return PirGraph(folder / "reference.json", output=place)


def _hook(network: Any, names: Collection[str]) -> None:
    """Have every operator that a layer makes carry the layer's dotted name while the network is traced."""
    inside = [""]

    def name_operators(name: str) -> None:
        """Name what was made since the last call; parameters come to the front of a program, all others to its end."""
        import paddle

        for operator in reversed(paddle.static.default_main_program().global_block().ops):
            if operator.name().startswith("builtin."):
                continue
            if str(operator.attrs().get(NAMED_IN) or "").startswith(LAYER):
                return
            operator.set_str_attr(NAMED_IN, f"{LAYER}{name}")

    def before(name: str) -> Callable[[Any, Any], None]:
        def hook(*_: Any) -> None:
            name_operators(inside[-1])
            inside.append(name)

        return hook

    def after(*_: Any) -> None:
        name_operators(inside.pop())

    for own, each in network.named_sublayers():
        name = own
        while name and name not in names:
            name = name.rpartition(".")[0]
        each.register_forward_pre_hook(before(name))
        each.register_forward_post_hook(after)
