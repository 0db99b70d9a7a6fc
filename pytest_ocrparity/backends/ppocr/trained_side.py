"""What the train sides of detectors and recognisers have in common: PaddleOCR's own code, recorded after each step.

Builds and runs what PaddleOCR's tools do: the Eval operators of the training YAML file, the network, its post-process.
Nothing of the processing is done here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.configs import check_config_sub_model, read_config
from pytest_ocrparity.artifacts.dictionary import dictionary_fingerprint
from pytest_ocrparity.artifacts.export_command import TOOL, export_command
from pytest_ocrparity.artifacts.families import Family
from pytest_ocrparity.artifacts.lint import RANDOM
from pytest_ocrparity.artifacts.model_files import TrainingFiles, find_checkpoint_file
from pytest_ocrparity.backends.isolation import isolated, isolated_checkout, package_folder
from pytest_ocrparity.backends.memory_guard import MemoryGuard, Watched
from pytest_ocrparity.backends.ppocr.network import Network
from pytest_ocrparity.backends.ppocr.operators import (
    Parts,
    import_ppocr_operators,
    without_global,
    without_random_operators,
)
from pytest_ocrparity.backends.resampling import recoded_before_resampling, resampled
from pytest_ocrparity.backends.staged import StagedSide
from pytest_ocrparity.errors import ImageError
from pytest_ocrparity.files import file_digest, image_file_bytes, text_file_digest
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Decoded, Image, Trace
from pytest_ocrparity.wording import image_label

if TYPE_CHECKING:
    from typing_extensions import Self


class TrainedSide(StagedSide):
    """A trained model behind PaddleOCR's own operators and post-process.

    `Trace.parameters` hold what the built operators hold, after `Global` was merged into them.
    """

    family: ClassVar[Family]

    @classmethod
    def load(
        cls,
        *,
        config: Path,
        checkpoint: Path | None = None,
        paddleocr_root: Path | None = None,
        network: str | None = None,
        network_folder: Path | None = None,
        device: str = "cpu",
        sub_model: str | None = None,
        trust_checkpoint: bool = False,
        memory_limit: int | None = None,
        name: str = "train",
        yml: Mapping[str, Any] | None = None,
    ) -> Self:
        """Load a trained model.

        Args:
            config: the training YAML file.
            checkpoint: a `.pdparams` file, with or without its suffix; None means the one that the YAML file names.
            paddleocr_root: a PaddleOCR checkout; None means a `ppocr` that is importable already.
            network: "module:function" that takes the Architecture and returns a `paddle.nn.Layer`, in the place of
                `ppocr.modeling.architectures.build_model`.
            network_folder: first on `sys.path` while that module is imported.
            device: as in `paddle.set_device`.
            sub_model: which network of a Distillation YAML file.
            trust_checkpoint: load the checkpoint whatever its pickle names.
            memory_limit: bytes that an image may take; None means what is available.
            name: how messages call this side.
            yml: what the YAML file holds, where it was read already.

        Raises:
            ModelError: a file, a value in it, or something to import is missing or wrong; nothing was guessed.
        """
        yml = read_config(config) if yml is None else yml
        cls.family.check_training(yml, config)
        weights = find_checkpoint_file(checkpoint, yml, config, paddleocr_root)
        check_config_sub_model(yml["Architecture"], sub_model, config)
        dictionary = cls._find_dictionary(yml, config, paddleocr_root)
        files = TrainingFiles(
            config, yml, weights, paddleocr_root, trust_checkpoint, network, sub_model, dictionary=dictionary
        )
        with isolated_checkout(paddleocr_root):
            import_ppocr_operators()
        with isolated_checkout(paddleocr_root):
            parts = cls._build(files, network_folder, device)
        fingerprint = {"config": text_file_digest(config), "checkpoint": file_digest(weights)}
        engine = {"engine": "dygraph", "device": parts.network.device}
        memory = MemoryGuard(parts.network.run, engine, limit=memory_limit, height=cls._line_height(files))
        return cls(parts, files, memory, name=name, fingerprint=fingerprint | dictionary_fingerprint(dictionary))

    def __init__(
        self, parts: Parts, files: TrainingFiles, memory: MemoryGuard, *, name: str, fingerprint: Mapping[str, str]
    ) -> None:
        """Take what `load` built, and what it built it from."""
        super().__init__(name, fingerprint)
        self._parts, self.files, self._memory = parts, files, memory
        transforms = files.yml["Eval"]["dataset"]["transforms"]
        self.written = self.family.written(transforms, files.yml["PostProcess"], files.config)

    @classmethod
    def _find_dictionary(cls, yml: Mapping[str, Any], config: Path, paddleocr_root: Path | None) -> Path | None:
        """Return the dictionary of a recogniser."""
        return None

    @classmethod
    def _line_height(cls, files: TrainingFiles) -> int | None:
        """Return the height in px of the network's input, where there is one alone."""
        return None

    @classmethod
    @abstractmethod
    def _build(cls, files: TrainingFiles, folder: Path | None, device: str) -> Parts:
        """Build everything; `folder` is first on `sys.path` while the user's network is imported."""

    @abstractmethod
    def _parts_under(self, yml: Mapping[str, Any]) -> Parts:
        """Return the operators of another YAML file around the same network and post-process."""

    @abstractmethod
    def _record_resize(self, trace: Trace, state: Mapping[str, Any], watched: Watched) -> Trace:
        """Add to the trace what the operator that resizes has just produced; its parameters are there already."""

    @property
    @abstractmethod
    def _product_parameters(self) -> Mapping[str, Any]:
        """The parameters of the post-process."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `Pipeline`."""
        found: Mapping[str, Any] = jsonable(
            {
                "api": "PaddleOCR's training side",
                "code": self.code,
                "files": self.fingerprint,
                "options": {name: getattr(self.files, name) for name in ("network", "sub_model", "paddleocr_root")},
                "engine": {"engine": "dygraph", "device": self._parts.network.device},
            }
        )
        return found

    @property
    def network(self) -> Network:
        """The trained network."""
        return self._parts.network

    def random_operators(self) -> tuple[str, ...]:
        """Return the names of the operators that draw random numbers, which an evaluation must not have."""
        return tuple(name for name, _ in self._parts.operators if name in RANDOM)

    def export_command(self, folder: Path | None = None, model_name: str | None = None) -> str:
        """Return how this checkpoint is exported: a command after "export again: ", or whose script is to be run.

        Args:
            folder: where the export is to lie; None means where the YAML file says, else beside the checkpoint.
            model_name: what it is to call itself where the YAML file does not say.
        """
        files = self.files
        root = files.paddleocr_root or package_folder("ppocr").parent
        if not files.has_modeling or not (root / TOOL).is_file():
            return f"run your export script again, with {image_label(str(files.checkpoint))}"
        return f"export again: {export_command(root, files, folder, model_name)}"

    def leaked(self) -> dict[str, str]:
        """Return the keys of the YAML file's `Global` that reach an operator's parameter, each with its stage."""
        given = self.files.yml.get("Global") or {}
        return {key: stage for stage, own in self._parts.parameters.items() for key in own if key in given}

    @property
    def given(self) -> Mapping[str, Mapping[str, str]]:
        """By stage name, the parameters that the YAML file's `Global` sets, each with its key."""
        found: dict[str, dict[str, str]] = {}
        for key, stage in self.leaked().items():
            found.setdefault(stage, {})[key] = f"Global.{key}"
        return found

    def without_leak(self) -> Self:
        """Return this side with operators that `Global` does not reach, for an experiment."""
        return self._rebuilt(without_global(self.files.yml, self.leaked()))

    def without_random(self) -> Self:
        """Return this side without random operators, for an experiment."""
        return self._rebuilt(without_random_operators(self.files.yml))

    def _rebuilt(self, yml: Mapping[str, Any]) -> Self:
        with isolated():
            parts = self._parts_under(yml)
        files = replace(self.files, yml=yml)
        return type(self)(parts, files, self._memory, name=self.name, fingerprint=self.fingerprint)

    def preprocess(self, image: Image) -> Trace:
        """Run the Eval operators one after the other, as `ppocr.data.imaug.transform` does.

        The training DecodeImage decodes a path's bytes; an (H, W, 3) uint8 BGR array is encoded as PNG for it,
        without loss.

        Raises:
            ImageError: the image is missing or DecodeImage cannot decode it.
        """
        name, data = image_file_bytes(image)
        trace = Trace(pipeline=self.name, image=name, source=self)
        try:
            is_array = isinstance(image, np.ndarray)
            with isolated(), self._memory.watching(None if is_array else data) as watched:
                state: Any = {"image": _as_png(image) if isinstance(image, np.ndarray) else data}
                for operator, run in self._parts.operators:
                    if operator == "NormalizeImage":  # a size that needs no resize
                        self._memory.admit_tensor(state["image"].shape, TENSOR)
                    state = run(state)
                    if state is None and trace.decode is None:
                        raise ImageError(f"{name}: PaddleOCR's DecodeImage cannot decode this file; is it an image?")
                    trace = self._record_operator(trace, operator, run, state, watched)
        except ImageError:
            raise
        except (Exception, SystemExit) as error:
            stage = DECODE if trace.decode is None else RESIZE if trace.resize is None else TENSOR
            return replace(trace, error=self.stage_error(stage, error))
        return trace

    def _record_operator(self, trace: Trace, operator: str, run: Any, state: Any, watched: Watched) -> Trace:
        """Add to the trace what an operator has just produced."""
        if operator == "KeepKeys":
            return replace(trace, tensor=np.expand_dims(state[0], axis=0))
        stage = self.family.stage_of.get(operator)
        if stage is None:
            return trace
        trace = replace(trace, parameters={**trace.parameters, stage: self._parts.parameters[stage]})
        if stage == DECODE:
            return replace(trace, decode=Decoded.of(state["image"], run.img_mode))
        return self._record_resize(trace, state, watched) if stage == RESIZE else trace

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the network's output that is decoded, for a (1, 3, h, w) float32 tensor, float32.

        Raises:
            StageError: the network returned none of that name.
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP, count=len(tensor))
        return self._parts.network.run(tensor)

    def infer_fused(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """Return the map of a re-parameterised copy of the network, or None where no layer has a `rep()` to call."""
        fused = self._parts.network.fused
        return None if fused is None else fused.run(tensor)

    def resampled(
        self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]
    ) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield pixels resized by other interpolations than PaddleOCR's, for an experiment."""
        return resampled(pixels, size)

    def recoded(self, pixels: npt.NDArray[np.uint8]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield BGR pixels after changes that ports make before they resize, for an experiment."""
        return recoded_before_resampling(pixels)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the operators and the post-process hold, in plain JSON types."""
        network = self._parts.network
        return {
            **self._parts.parameters,
            PROBABILITY_MAP: {"engine": "dygraph", "device": network.device, "outputs": network.outputs},
            self.product: self._product_parameters,
        }


def _as_png(image: npt.NDArray[np.uint8]) -> bytes:
    import cv2

    # Not compressed: it is decoded at once, and compressing took longer than all operators.
    done, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert done, "cv2 encodes any (H, W, 3) uint8 array as PNG"
    return bytes(encoded)
