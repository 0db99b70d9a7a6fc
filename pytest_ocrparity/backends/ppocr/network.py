"""The trained network: built from the Architecture of a YAML file, with its weights, in eval mode without gradients.

Knows paddle and `ppocr.modeling`, nothing of images and of what a map means.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import TrainingFiles
from pytest_ocrparity.artifacts.pickle_check import check_pickle
from pytest_ocrparity.backends.graphs.pir_graph import PirGraph
from pytest_ocrparity.backends.graphs.traced_graph import traced_graph
from pytest_ocrparity.backends.isolation import import_entry_point, isolated
from pytest_ocrparity.backends.ppocr.layer_attributes import set_attributes
from pytest_ocrparity.errors import ModelError, StageError
from pytest_ocrparity.stages import PROBABILITY_MAP

if TYPE_CHECKING:
    from typing_extensions import Self

SMALL: Final = (1, 3, 64, 64)
"""An input that shows in which order a network uses its parameters."""

MAPS: Final = ("maps",)
"""The name of a detector's output."""
TEXT_MAPS: Final = ("head_out", "ctc")
"""The names of a recogniser's output: of a network that returns its features, and of one of several heads."""

ROLES: Final = {"_mean": 0, "_variance": 1}
"""The place of batch norm's statistics among a layer's parameters: as its operator takes them in a program."""


@contextmanager
def on_device(device: str) -> Iterator[None]:
    """Run on a device without gradients, and set paddle's global device back afterwards.

    Raises:
        ModelError: paddle has no such device.
    """
    import paddle

    before = paddle.get_device()
    try:
        paddle.set_device(device)
    except Exception as error:
        reason = f"paddle {paddle.__version__} has no such device: {error}"
        raise ModelError(f"train.device = {device!r}: {reason}") from error
    try:
        with paddle.no_grad():
            yield
    finally:
        paddle.set_device(before)


class Network:
    """A `paddle.nn.Layer` in eval mode, on its device."""

    names: ClassVar[tuple[str, ...]] = MAPS
    """The names of the output that is decoded, where outputs have names."""
    place: ClassVar[int] = 0
    """Its place among outputs without names."""

    def __init__(
        self,
        layer: Any,
        device: str,
        siblings: Mapping[str, Any] | None = None,
        small: tuple[int, ...] = SMALL,
    ) -> None:
        """Put the layer into eval mode.

        Args:
            layer: the `paddle.nn.Layer`.
            device: as in `paddle.set_device`.
            siblings: the other networks of a Distillation, by name.
            small: the shape of a tensor that it takes.
        """
        layer.eval()
        self._layer = layer
        self.device, self.small = device, small
        self.siblings = {name: self._alike(sibling) for name, sibling in (siblings or {}).items()}
        self._names = frozenset(name for name, _ in layer.named_sublayers())
        self.outputs: int | None = None
        """How many outputs the last run had."""

    def _alike(self, layer: Any) -> Self:
        """Return another network of this sort."""
        return type(self)(layer, self.device, small=self.small)

    def run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the output that is decoded, for a (1, 3, h, w) float32 tensor.

        Raises:
            StageError: the outputs have names, and none of them is that of the one which is decoded.
        """
        with isolated(), on_device(self.device):
            import paddle

            output = self._layer(paddle.to_tensor(np.ascontiguousarray(tensor)))
            self.outputs = len(output) if isinstance(output, Mapping | list | tuple) else 1
            array: npt.NDArray[np.float32] = self._decoded(output).numpy()
            return array

    def _decoded(self, output: Any) -> Any:
        """Return that of the outputs which is decoded."""
        while isinstance(output, Mapping):
            name = next((name for name in self.names if name in output), None)
            if name is None:
                wanted = " or ".join(map(repr, self.names))
                raise StageError(PROBABILITY_MAP, f"the network returned {sorted(output)}, without {wanted}")
            output = output[name]
        return output[self.place] if isinstance(output, list | tuple) else output

    @cached_property
    def fused(self) -> Self | None:
        """The network with its branches fused by their `rep()`, as a copy; None where no layer has any to call.

        The copy gets what `ppocr.utils.export_model.dynamic_to_static` does to the network that it exports.
        """
        if not any(_can_fuse(layer) for layer in self._layer.sublayers(include_self=True)):
            return None
        with isolated(), on_device(self.device):
            layer = copy.deepcopy(self._layer)
            for each in layer.sublayers(include_self=True):
                if _can_fuse(each):
                    each.rep()
        fused = self._alike(layer)
        fused._names = self._names
        return fused

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the network's parameters and statistics by paddle's parameter names."""
        with isolated():
            return {value.name: value.numpy() for value in self._layer.state_dict().values()}

    def keys(self) -> dict[str, str]:
        """Return the key in a checkpoint of each parameter, by paddle's parameter name."""
        return {value.name: key for key, value in self._layer.state_dict().items()}

    @cached_property
    def used(self) -> tuple[str, ...]:
        """The parameters and statistics that an evaluation uses, by paddle's names and in that order.

        Empty where the network does not run on a small input.
        """
        known = self.keys()
        found: dict[str, None] = {}

        def note(layer: Any, _: Any) -> None:
            own = {**layer._parameters, **layer._buffers}
            for key in sorted(own, key=lambda key: ROLES.get(key, len(ROLES))):
                if own[key] is not None and own[key].name in known:
                    found[own[key].name] = None

        hooks = [each.register_forward_pre_hook(note) for each in self._layer.sublayers(include_self=True)]
        try:
            self.run(np.zeros(self.small, np.float32))
        except Exception:  # whatever a network raises on a size that it does not take
            return ()
        finally:
            for hook in hooks:
                hook.remove()
        return tuple(found)

    def network_graph(self) -> PirGraph:
        """Return the graph of a traced copy, whose operators have the names of this network's layers.

        Those of a fused copy have the names that the network's layers had before.
        """
        with on_device(self.device):
            shape = (None, 3, None if self.small == SMALL else self.small[2], None)
            return traced_graph(self._layer, shape, self._decoded, self._names)

    def with_attributes(self, layer: str, values: Mapping[str, Any]) -> Self | None:
        """Return a copy with other attributes of a layer, by their names in a program; None where it has none of them.

        "operator" stands for an activation in the place of the layer.
        """
        other = self._network_copy()
        with isolated():
            return other if set_attributes(other._layer, layer, values, self._names) else None

    def in_train_mode(self, *, batch_norm: bool) -> Self:
        """Return a copy that runs as while training; without `batch_norm`, with the statistics of evaluation.

        The latter is what Paddle Inference makes of a network that was exported in training mode.
        """
        import paddle

        other = self._network_copy()
        other._layer.train()
        for layer in other._layer.sublayers():
            if not batch_norm and isinstance(layer, paddle.nn.layer.norm._BatchNormBase):
                layer.eval()
        return other

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """Return a copy with other values, by the keys of a checkpoint."""
        other = self._network_copy()
        with isolated():  # it warns of keys that it lacks
            other._layer.set_state_dict(dict(state))
        return other

    def with_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return a copy with other arrays, by paddle's parameter names; a program may store halves or sides of 1."""
        keys, own = self.keys(), self.arrays()
        return self.with_state(
            {keys[name]: array.astype(own[name].dtype).reshape(own[name].shape) for name, array in arrays.items()}
        )

    def _network_copy(self) -> Self:
        with isolated(), on_device(self.device):
            other = self._alike(copy.deepcopy(self._layer))
        other._names = self._names  # of a fused copy, those that its layers had before
        return other


class TextNetwork(Network):
    """The network of a recogniser: CTCLabelDecode decodes the last of several outputs."""

    names = TEXT_MAPS
    place = -1


def _can_fuse(layer: Any) -> bool:
    return callable(getattr(layer, "rep", None)) and not getattr(layer, "is_repped", False)


N = TypeVar("N", bound=Network)


def build_network(
    architecture: Mapping[str, Any],
    files: TrainingFiles,
    *,
    folder: Path | None,
    device: str,
    kind: type[N],
    small: tuple[int, ...] = SMALL,
) -> N:
    """Build the network, load its weights, and pick one part of it where it has several.

    Args:
        architecture: that of the YAML file.
        files: the files of its side; they say which weights, which part, and whose code builds it.
        folder: first on `sys.path` while the user's module is imported.
        device: as in `paddle.set_device`.
        kind: of what sort it is.
        small: the shape of a tensor that it takes.

    Raises:
        ModelError: it cannot be built, or the weights are not its own; a `MisfitError` where keys or shapes differ.
    """
    import paddle

    name, sub_model = files.network, files.sub_model
    with on_device(device):
        layer = (
            _network_of_user(name, folder, architecture) if name else _network_from_ppocr(architecture, files.config)
        )
        load_weights(layer, files.checkpoint, trust=files.trust)
        if sub_model is not None:
            parts = dict(layer.named_children())
            if sub_model not in parts:
                known = ", ".join(parts)
                raise ModelError(f"{files.config} names {sub_model}, but the parts of the network are {known}")
            layer = parts.pop(sub_model)
            return kind(layer, paddle.get_device(), parts, small)
        return kind(layer, paddle.get_device(), small=small)  # gpu:0 where the setting says gpu


def _network_of_user(network: str, folder: Path | None, architecture: Mapping[str, Any]) -> Any:
    import paddle

    build = import_entry_point(network, folder)
    try:
        layer = build(copy.deepcopy(architecture))
    except Exception as error:  # whatever the user's function raises
        raise ModelError(f"train.network = {network!r} raised {type(error).__name__}: {error}") from error
    if not isinstance(layer, paddle.nn.Layer):
        raise ModelError(f"train.network = {network!r} returned a {type(layer).__name__}, not a paddle.nn.Layer")
    return layer


def _network_from_ppocr(architecture: Mapping[str, Any], config: Path) -> Any:
    try:
        from ppocr.modeling.architectures import build_model
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ppocr.modeling"):
            raise
        raise ModelError(
            "this PaddleOCR has no ppocr.modeling (its pip distribution leaves it out): set train.paddleocr_root to a "
            'full checkout, or train.network = "module:function" to build the network yourself'
        ) from error
    try:
        return build_model(_without_pretrained(architecture))
    except ImportError:
        raise
    except Exception as error:
        raise ModelError(
            f"{config}: ppocr cannot build this Architecture: {type(error).__name__}: {error}. For a network of yours "
            'set train.network = "module:function", which makes it'
        ) from error


def _without_pretrained(value: Any) -> Any:
    """Return a copy without any `pretrained` key: weights come from the checkpoint, and nothing is downloaded."""
    if isinstance(value, Mapping):
        return {key: _without_pretrained(each) for key, each in value.items() if key != "pretrained"}
    return [_without_pretrained(each) for each in value] if isinstance(value, list) else value


SHOWN: Final = 3
"""How many keys of each kind an error lists."""


def read_network_state(path: Path, *, trust: bool) -> Mapping[str, Any]:
    """Return the arrays of a `.pdparams` file by key.

    Raises:
        ModelError: it is damaged, names foreign globals without `trust`, or holds no mapping.
    """
    import paddle

    if not trust:
        check_pickle(path)
    try:
        values = paddle.load(str(path))
    except Exception as error:
        raise ModelError(f"{path}: paddle {paddle.__version__} cannot load this checkpoint: {error}") from error
    if not isinstance(values, Mapping):
        raise ModelError(f"{path}: holds a {type(values).__name__}, not the mapping of a paddle checkpoint (.pdparams)")
    return values


def load_weights(network: Any, path: Path, *, trust: bool) -> None:
    """Load a `.pdparams` file into a `paddle.nn.Layer`, values cast to its dtypes as `ppocr.utils.save_load` does.

    Args:
        network: the layer, changed in place.
        path: the checkpoint.
        trust: load it whatever its pickle names.

    Raises:
        ModelError: it is damaged, names foreign globals, or its keys and shapes are not exactly the network's.
    """
    values = read_network_state(path, trust=trust)
    wanted = network.state_dict()
    _check_fit(wanted, values, path)
    network.set_state_dict(
        {
            key: values[key].astype(old.dtype) if values[key].dtype != old.dtype else values[key]
            for key, old in wanted.items()
        }
    )


class MisfitError(ModelError):
    """A checkpoint does not fit a network; `shapes` are both by key, stored and wanted, where nothing else differs."""

    def __init__(self, message: str, shapes: Mapping[str, tuple[list[int], list[int]]]) -> None:
        """Keep the shapes by key beside the message."""
        super().__init__(message)
        self.shapes = dict(shapes)


def _check_fit(wanted: Mapping[str, Any], values: Mapping[str, Any], path: Path) -> None:
    shapes = {key: list(getattr(value, "shape", ())) for key, value in values.items()}
    other = {
        key: (shapes[key], list(old.shape))
        for key, old in wanted.items()
        if key in shapes and shapes[key] != list(old.shape)
    }
    problems = {
        "missing": [key for key in wanted if key not in values],
        "unexpected": [key for key in values if key not in wanted],
        "of another shape": [f"{key} {stored}, the network has {own}" for key, (stored, own) in other.items()],
    }
    if not any(problems.values()):
        return
    fitting = len(wanted) - len(problems["missing"]) - len(problems["of another shape"])
    found = "; ".join(f"{len(keys)} {kind}: {_first_keys(keys)}" for kind, keys in problems.items() if keys)
    raise MisfitError(
        f"{path} is not a checkpoint of the YAML file's network: {fitting} of {len(wanted)} keys fit; {found}. "
        "PaddleOCR would leave these random and say so in its log only; set train.checkpoint to the checkpoint that "
        "was trained with this YAML file",
        {} if problems["missing"] or problems["unexpected"] else other,
    )


def _first_keys(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
