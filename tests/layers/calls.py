"""Names what a network runs by the layers that run it, and puts something else in the place of one call.

A layer with parameters of its own is one call; so is each operator that a `forward` calls by its function: an
activation, an interpolation, a sum, a concatenation. It works on eager tensors and while a program is traced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

if TYPE_CHECKING:
    from typing_extensions import Self

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "hardswish", "hardsigmoid", "swish", "sigmoid")


class Key(NamedTuple):
    """One call.

    Attributes:
        layer: the dotted name of the innermost layer that runs it; "" is the network itself.
        operator: the name of the function, or the class of the layer in lower case.
        nth: which of that layer's calls of this operator it is.
    """

    layer: str
    operator: str
    nth: int = 0


class Call(NamedTuple):
    """A call that was made: what went in, and the shape that came out. A concatenation takes several tensors."""

    key: Key
    inputs: tuple[Any, ...]
    output: Any

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of what went in."""
        return tuple(tuple(value.shape) for value in self.inputs)


Change = Callable[[Callable[[], Any], tuple[Any, ...], dict[str, Any], Mapping[Key, Any]], Any]
"""Takes the call as it is, its arguments, and the outputs of all calls before it; returns another output."""


def has_parameters(layer: Any) -> bool:
    """Return whether a layer has parameters of its own, beside those of its sublayers."""
    return any(each is not None for each in layer._parameters.values())


def _is_tensor(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "stop_gradient")


@dataclass
class Calls:
    """Records a network's calls while it is entered, and changes those that `changes` has.

    Attributes:
        network: the `paddle.nn.Layer`.
        changes: by call, what is put in its place.
        made: the calls in their order.
        entered: the layers that ran, in the order in which they began.
        begun: by call, how many layers had begun when it was made.
    """

    network: Any
    changes: Mapping[Key, Change] = field(default_factory=dict)
    made: list[Call] = field(default_factory=list)
    entered: list[str] = field(default_factory=list)
    begun: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._running: list[str] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._outputs: dict[Key, Any] = {}
        self._is_inside = False

    def __enter__(self) -> Self:
        import paddle
        from paddle.nn import functional

        self._stack = ExitStack()
        for name, layer in self.network.named_sublayers():
            for hook in self._hooks(name, layer):
                self._stack.callback(hook.remove)
        for name in ACTIVATIONS:
            self._wrap(functional, name, name)
        for name in ("interpolate", "upsample"):
            self._wrap(functional, name, "interpolate")
        for name in ("concat", "add"):
            self._wrap(paddle, name, name)
        for kind in (paddle.Tensor, paddle.pir.Value, paddle.static.Variable):
            self._wrap(kind, "__add__", "add")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _hooks(self, name: str, layer: Any) -> list[Any]:
        key = Key(name, type(layer).__name__.lower())
        is_call = has_parameters(layer)

        def begin(_: Any, inputs: Any) -> None:
            self._running.append(name)
            self.entered.append(name)

        def end(_: Any, inputs: Any, output: Any) -> Any:
            if is_call:
                output = self._finish(key, lambda: output, inputs, {}, inputs)
            self._running.pop()
            return output

        return [layer.register_forward_pre_hook(begin), layer.register_forward_post_hook(end)]

    def _wrap(self, owner: Any, attribute: str, operator: str) -> None:
        import paddle

        original = getattr(owner, attribute)

        def wrapper(*arguments: Any, **named: Any) -> Any:
            inputs = [*arguments, *named.values()]
            if operator == "concat":
                inputs = list(inputs[0])
            tensors = tuple(value for value in inputs if _is_tensor(value))
            if self._is_inside or (operator in ("add", "concat") and len(tensors) < 2):
                return original(*arguments, **named)
            layer = self._running[-1] if self._running else ""
            key = Key(layer, operator, self._counts[layer, operator])
            self._counts[layer, operator] += 1
            return self._finish(key, lambda: original(*arguments, **named), arguments, named, tensors)

        # Tracing must not rewrite it as it rewrites the network's own code.
        wrapped = wrapper if attribute.startswith("__") else paddle.jit.not_to_static(wrapper)
        self._stack.enter_context(patch.object(owner, attribute, wrapped))

    def _finish(
        self, key: Key, call: Callable[[], Any], arguments: Any, named: dict[str, Any], inputs: tuple[Any, ...]
    ) -> Any:
        self._is_inside = True
        try:
            change = self.changes.get(key)
            output = call() if change is None else change(call, arguments, named, self._outputs)
        finally:
            self._is_inside = False
        self.made.append(Call(key, tuple(inputs), output))
        self.begun[key] = len(self.entered)
        self._outputs[key] = output
        return output


def calls_of(network: Any, tensor: Any) -> Calls:
    """Return what a network in evaluation mode runs for a (1, 3, h, w) tensor."""
    import paddle

    with Calls(network) as calls, paddle.no_grad():
        network(paddle.to_tensor(tensor))
    return calls
