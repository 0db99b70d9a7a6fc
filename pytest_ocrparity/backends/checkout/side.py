"""What the sides of `predict_det.py` and `predict_rec.py` have in common: one script's object around one export.

Nothing of the processing is done here.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import ONNX, ExportFiles, fingerprint_export_files
from pytest_ocrparity.backends.checkout.flags import flag_values, flags_fix
from pytest_ocrparity.backends.checkout.script import Script, read_first_page
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.backends.network_file import NetworkFile
from pytest_ocrparity.backends.onnx.runtime import runtime_engine, runtime_fixed_size
from pytest_ocrparity.backends.paddlex.program import plain_program_run, program_fixed_size
from pytest_ocrparity.backends.replacing import Stopped, replaced
from pytest_ocrparity.diagnosis import Alternative, Fix, table_of
from pytest_ocrparity.errors import ImageError, NotEnoughMemory, StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import PROBABILITY_MAP
from pytest_ocrparity.trace import Decoded, Image, Trace

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a side was loaded from.

    Attributes:
        script: the script.
        export: the export's files.
        options: the user's flags, by name.
        name: how messages call the side.
        memory_limit: bytes that an image may take; None means what is available.
        without_onednn: whether oneDNN is off whatever the flags say, for an experiment.
    """

    script: Script
    export: ExportFiles
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = "inference"
    memory_limit: int | None = None
    without_onednn: bool = False


class ScriptSide(NetworkFile):
    """An object of a script, which is run with stand-ins for the parts that are not asked for."""

    _file: Path
    flags: ClassVar[Mapping[str, str]]
    """By parameter, the flag that sets it."""

    def __init__(self, setup: Setup) -> None:
        """Load the script's class on the export.

        Raises:
            ModelError: see `Script.load`.
        """
        super().__init__(setup.name, fingerprint_export_files(setup.export))
        self.table, self.model_dir = table_of(setup.name), setup.export.folder
        self._setup = setup
        self._made, self._arguments = setup.script.load(
            setup.export, setup.options, without_onednn=setup.without_onednn
        )
        program = setup.export.program
        self._file = setup.export.folder / ONNX if self._arguments.use_onnx or program is None else program
        names = ("predictor", "input_tensor", "output_tensors")
        self._network = {name: getattr(self._made, name) for name in names}
        self._changes: Mapping[str, Mapping[str, Any]] = {}
        self._memory = MemoryGuard(
            self.infer_alone, self._engine_parameters, limit=setup.memory_limit, height=self._height()
        )

    @abstractmethod
    def _run(self, image: Any) -> Any:
        """Run the script's object on decoded pixels."""

    @abstractmethod
    def _given(self, tensor: npt.NDArray[np.float32]) -> Mapping[str, Any]:
        """Return the attributes of the script's object under which its network is given this tensor."""

    def _read(self, image: Image) -> tuple[Trace, Any]:
        """Return a trace of what the script reads of an image, and its pixels; None where there is no memory for them.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        trace = Trace(pipeline=self.name, image=name, source=self, parameters=self._preprocessing_parameters)
        try:
            if isinstance(image, np.ndarray):
                pixels = image.copy()
            else:
                with isolated(), self._memory.watching(data):
                    pixels = read_first_page(str(image))
        except NotEnoughMemory as refused:
            return replace(trace, error=refused), None
        if pixels is None:
            raise ImageError(f"{name}: {self._setup.script.label} cannot decode this file; is it an image?")
        return replace(trace, decode=Decoded.of(pixels, "BGR")), pixels

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the first output of the script's network for a (1, 3, h, w) tensor.

        Raises:
            NotEnoughMemory: it would take more memory than there is.
            StageError: it is given several.
        """
        if len(tensor) != 1:
            text = f"{self._setup.script.label} is run with one image after the other here: set no batch"
            raise StageError(PROBABILITY_MAP, text)
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP)
        return self.infer_alone(tensor)

    def infer_alone(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network, whatever memory there is."""
        made, outputs = self._made, []

        def end(output: Any, *_: Any, **__: Any) -> Any:
            outputs.append(output)
            raise Stopped

        # A guard of memory runs it from within a run that has a stand-in for the network.
        given = {**self._network, **self._given(np.ascontiguousarray(tensor))}
        with isolated(), replaced(made, postprocess_op=end, **given):
            self._run(np.zeros((32, 32, 3), np.uint8))
        return self._map_of(outputs[0])

    @abstractmethod
    def _map_of(self, output: Any) -> npt.NDArray[np.float32]:
        """Return the map in what the script gives its post-process."""

    @cached_property
    def _engine_parameters(self) -> dict[str, Any]:
        """What the network runs on, as the configuration that paddle was given, or the session, says it."""
        made, program = self._made, self._setup.export.program
        if self._arguments.use_onnx:
            return {**runtime_engine(made.predictor), "outputs": len(made.predictor.get_outputs())}
        config = made.config
        found = {
            "engine": "mkldnn" if config.mkldnn_enabled() else "paddle",
            "device": f"gpu:{config.gpu_device_id()}" if config.use_gpu() else "cpu",
            "cpu_threads": config.cpu_math_library_num_threads(),
        }
        return {**found, "program": program.name if program is not None else None, "outputs": len(made.output_tensors)}

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the script's object holds and what its network runs on."""
        return {
            **self._preprocessing_parameters,
            PROBABILITY_MAP: self._engine_parameters,
            self.product: self._product_parameters,
        }

    @property
    @abstractmethod
    def _preprocessing_parameters(self) -> dict[str, Mapping[str, Any]]:
        """By stage name, the parameters of the stages up to the tensor."""

    @property
    @abstractmethod
    def _product_parameters(self) -> Mapping[str, Any]:
        """The parameters of the post-process."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `contract.HasIdentity`."""
        setup = self._setup
        own: dict[str, Any] = {"api": setup.script.label, "code": self.code}
        own |= {"root": str(setup.script.root), "files": self.fingerprint, "options": setup.options}
        found: Mapping[str, Any] = jsonable({**own, "engine": self._engine_parameters, "changes": self._changes})
        return found

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return this side with the flags that give these parameters, by stage name; the network is shared.

        Raises:
            ValueError: no flag sets one of them.
        """
        other = copy.copy(self)
        other._traces = OrderedDict()
        flags: dict[str, Any] = {}
        for stage, wanted in changes.items():
            flags |= flag_values(self.flags, self.parameters[stage], wanted, self._setup.script.label)
        other._arguments = Namespace(**{**vars(self._arguments), **flags})
        other._made = self._setup.script.again(self._made, other._arguments)
        other._changes = {**self._changes, **changes}
        return other

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        """Return the flags by which a user gives the script the values of some parameters of a stage."""
        script = self._setup.script.label
        return flags_fix(flag_values(self.flags, self.parameters[stage], values, script), script)

    def fresh(self) -> ScriptSide:
        """Return this side newly loaded."""
        return type(self)(self._setup)

    def other_engines(self) -> Iterator[Alternative]:
        """Yield the other ways to run this export, with the cause that each would prove."""
        yield Alternative("network.own_code", "the bare engine", lambda given: ScriptSide.infer(self, given))
        if self._arguments.use_onnx:
            return
        if self._engine_parameters["engine"] == "mkldnn":
            other = type(self)(replace(self._setup, without_onednn=True))
            yield Alternative("engine.onednn", "oneDNN off", other.infer, self._fix_without_onednn())
        if (program := self._setup.export.program) is not None:
            yield Alternative("engine.optimization", "no engine pass", plain_program_run(program))

    def _fix_without_onednn(self) -> Fix:
        """Return how oneDNN is switched off: by a flag where that does so, which 2.10 has not."""
        script = self._setup.script
        if script.default_of("enable_mkldnn") is None:
            return flags_fix({"enable_mkldnn": False}, script.label)
        return Fix(
            f"no flag of this {script.label} switches oneDNN off: paddle has it on, and --enable_mkldnn=False leaves "
            "it so. Run that of a later checkout with --enable_mkldnn=False, or call config.disable_mkldnn() before "
            "create_predictor in tools/infer/utility.py"
        )

    def other_outputs(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return the outputs of the network after the first."""
        if self._arguments.use_onnx:
            with isolated():
                given = {self._made.input_tensor.name: np.ascontiguousarray(tensor)}
                return [np.asarray(each) for each in self._made.predictor.run(None, given)[1:]]
        self.infer(tensor)
        return [np.asarray(each.copy_to_cpu()) for each in self._made.output_tensors[1:]]

    def input_size(self) -> tuple[int, int] | None:
        """Return the height and width that the export takes alone, or None where it takes any."""
        if self._arguments.use_onnx:
            return runtime_fixed_size(self._made.predictor)
        return program_fixed_size(self._file)
