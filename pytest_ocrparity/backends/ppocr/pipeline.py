"""The trained model, run by PaddleOCR's own training-side code and recorded after each step.

Builds and runs what `tools/infer_det.py` does: the Eval operators of the training YAML file, the network, its
post-process. Nothing of the processing is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.configs import STAGE_OF, check_sub_model, check_training, declared_parameters, read_yml
from pytest_ocrparity.artifacts.export_command import TOOL, export_command
from pytest_ocrparity.artifacts.lint import RANDOM
from pytest_ocrparity.artifacts.model_files import TrainingFiles, find_checkpoint
from pytest_ocrparity.backends.effective_parameters import training_detections
from pytest_ocrparity.backends.isolation import checkout, package_folder, third_party
from pytest_ocrparity.backends.memory_guard import MemoryGuard
from pytest_ocrparity.backends.ppocr.network import Network, build_network
from pytest_ocrparity.backends.ppocr.operators import (
    Parts,
    build_parts,
    build_post_process,
    import_operators,
    with_image_shape,
    without_global,
    without_random,
)
from pytest_ocrparity.backends.resampling import of_page_size, recoded, resampled
from pytest_ocrparity.backends.staged import StagedPipeline
from pytest_ocrparity.errors import ImageError
from pytest_ocrparity.files import digest, image_bytes, text_digest
from pytest_ocrparity.jsonable import plain
from pytest_ocrparity.stages import DECODE, DETECTIONS, PROBABILITY_MAP, RESIZE, TENSOR
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace, snapshot
from pytest_ocrparity.wording import image_label

MOST_SIZES = 8
"""For how many sizes operators are kept; an experiment goes back and forth between a few."""
TAPPED = ("boxes_from_bitmap", "polygons_from_bitmap")
"""The methods of DBPostProcess that know the scores."""


def load_training(
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
) -> TrainingPipeline:
    """Load a trained DB detector.

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

    Raises:
        ModelError: a file, a value in it, or something to import is missing or wrong; nothing was guessed.
    """
    yml = read_yml(config)
    check_training(yml, config)
    weights = find_checkpoint(checkpoint, yml, config, paddleocr_root)
    check_sub_model(yml["Architecture"], sub_model, config)
    with checkout(paddleocr_root):
        import_operators()
    with checkout(paddleocr_root):
        layer = build_network(
            yml["Architecture"],
            weights,
            config=config,
            network=network,
            folder=network_folder,
            device=device,
            sub_model=sub_model,
            trust=trust_checkpoint,
        )
        parts = build_parts(yml, layer, config)
    fingerprint = {"config": text_digest(config), "checkpoint": digest(weights)}
    files = TrainingFiles(config, yml, weights, paddleocr_root, trust_checkpoint, network, sub_model)
    memory = MemoryGuard(parts.network.run, {"engine": "dygraph", "device": parts.network.device}, limit=memory_limit)
    return TrainingPipeline(parts, files, memory, name=name, fingerprint=fingerprint)


class TrainingPipeline(StagedPipeline):
    """A trained detector behind PaddleOCR's own operators and post-process.

    `Trace.parameters` hold what the built operators hold, after `Global` was merged into them.
    """

    def __init__(
        self, parts: Parts, files: TrainingFiles, memory: MemoryGuard, *, name: str, fingerprint: Mapping[str, str]
    ) -> None:
        """Take what `load_training` built, and what it built it from."""
        super().__init__(name, fingerprint)
        self._parts, self.files, self._memory = parts, files, memory
        self._at_size: dict[tuple[int, int], TrainingPipeline] = {}
        transforms = files.yml["Eval"]["dataset"]["transforms"]
        self.written = declared_parameters(transforms, files.yml["PostProcess"], files.config)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one model, see `Pipeline`."""
        found: Mapping[str, Any] = plain(
            {
                "api": "PaddleOCR's training side",
                "code": f"{type(self).__module__}.{type(self).__qualname__}",
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

    def without_leak(self) -> TrainingPipeline:
        """Return this side with operators that `Global` does not reach, for an experiment."""
        return self._rebuilt(without_global(self.files.yml, self.leaked()))

    def without_random(self) -> TrainingPipeline:
        """Return this side without random operators, for an experiment."""
        return self._rebuilt(without_random(self.files.yml))

    def postprocess_with(self, values: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float32], Shape], Detections]:
        """Return `postprocess` with other values in the YAML file's PostProcess, for an experiment.

        See `contract.PostprocessesWith` for values that no YAML file sets.
        """
        own = {name: value for name, value in values.items() if name != "map_size"}
        with third_party():
            parts = replace(self._parts, post_process=build_post_process(self.files.yml["PostProcess"], own))
        other = TrainingPipeline(parts, self.files, self._memory, name=self.name, fingerprint=self.fingerprint)
        return other.postprocess if "map_size" not in values else of_page_size(other.postprocess)

    def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
        """Run the Eval operators with another target size (h, w) in network-input px, for an experiment.

        DetResizeForTest is built again with that `image_shape`; everything else is as in `preprocess`.
        """
        return self._resizing_to(size).preprocess(image)

    def resized_to(self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Run DetResizeForTest alone on (H, W, 3) pixels, with another target size (h, w), for an experiment."""
        with third_party():
            state: Any = {"image": pixels}
            for operator, run in self._resizing_to(size)._parts.operators:
                if STAGE_OF.get(operator) == RESIZE:
                    state = run(state)
        return np.array(state["image"])

    def _resizing_to(self, size: tuple[int, int]) -> TrainingPipeline:
        """Return this side with one size for every image; the last few are kept."""
        if size not in self._at_size:
            kept = list(self._at_size.items())[1 - MOST_SIZES :]
            self._at_size = {**dict(kept), size: self._rebuilt(with_image_shape(self.files.yml, size))}
        return self._at_size[size]

    def resampled(
        self, pixels: npt.NDArray[np.uint8], size: tuple[int, int]
    ) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield pixels resized by other interpolations than PaddleOCR's, for an experiment."""
        return resampled(pixels, size)

    def recoded(self, pixels: npt.NDArray[np.uint8]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
        """Yield BGR pixels after changes that ports make before they resize, for an experiment."""
        return recoded(pixels)

    def _rebuilt(self, yml: Mapping[str, Any]) -> TrainingPipeline:
        files = replace(self.files, yml=yml)
        with third_party():
            parts = build_parts(files.yml, self.network, files.config)
        return TrainingPipeline(parts, files, self._memory, name=self.name, fingerprint=self.fingerprint)

    def preprocess(self, image: Image) -> Trace:
        """Run the Eval operators one after the other, as `ppocr.data.imaug.transform` does.

        The training DecodeImage decodes a path's bytes; an (H, W, 3) uint8 BGR array is encoded as PNG for it,
        without loss.

        Raises:
            ImageError: the image is missing or DecodeImage cannot decode it.
        """
        name, data = image_bytes(image)
        trace = Trace(pipeline=self.name, image=name, source=self)
        try:
            is_array = isinstance(image, np.ndarray)
            with third_party(), self._memory.watching(None if is_array else data):
                state: Any = {"image": _as_png(image) if isinstance(image, np.ndarray) else data}
                for operator, run in self._parts.operators:
                    if operator == "NormalizeImage":  # a size that needs no resize
                        self._memory.admit_tensor(state["image"].shape, TENSOR)
                    state = run(state)
                    if state is None and trace.decode is None:
                        raise ImageError(f"{name}: PaddleOCR's DecodeImage cannot decode this file; is it an image?")
                    trace = self._record_operator(trace, operator, run, state)
        except ImageError:
            raise
        except (Exception, SystemExit) as error:
            stage = DECODE if trace.decode is None else RESIZE if trace.resize is None else TENSOR
            return replace(trace, error=self.stage_error(stage, error))
        return trace

    def describe_error(self, error: BaseException) -> str:
        """Return what a stage raised, in the words of messages."""
        if isinstance(error, SystemExit):  # with exit status 0
            return "PaddleOCR printed the sizes it could not resize to and called sys.exit"
        return super().describe_error(error)

    def _record_operator(self, trace: Trace, operator: str, run: Any, state: Any) -> Trace:
        """Add to the trace what an operator has just produced."""
        if operator == "KeepKeys":
            return replace(trace, tensor=np.expand_dims(state[0], axis=0))
        if operator not in STAGE_OF:
            return trace
        stage = STAGE_OF[operator]
        trace = replace(trace, parameters={**trace.parameters, stage: self._parts.parameters[stage]})
        if stage == DECODE:
            return replace(trace, decode=Decoded.of(state["image"], run.img_mode))
        if stage == RESIZE:
            height, width, ratio_h, ratio_w = map(float, state["shape"])
            return replace(trace, resize=snapshot(state["image"]), shape=(height, width, ratio_h, ratio_w))
        return trace

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the "maps" of the network for a (1, 3, h, w) float32 tensor, (1, C, h, w) float32.

        Raises:
            StageError: the network returned no "maps".
            NotEnoughMemory: it would take more memory than there is.
        """
        self._memory.admit_tensor(tensor.shape[2:], PROBABILITY_MAP)
        return self._parts.network.run(tensor)

    def infer_fused(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """Return the map of a re-parameterised copy of the network, or None where no layer has a `rep()` to call."""
        fused = self._parts.network.fused
        return None if fused is None else fused.run(tensor)

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        """Return the boxes that the YAML file's post-process finds in a (1, C, h, w) map, in source-image pixels.

        Their scores are those that `DBPostProcess` computes and throws away.
        """
        post_process = self._parts.post_process
        scores: list[float] = []

        def tap(method: Callable[..., Any]) -> Callable[..., Any]:
            def run(*args: Any, **kwargs: Any) -> Any:
                boxes, found = method(*args, **kwargs)
                scores.extend(found)
                return boxes, found

            return run

        for name in TAPPED:
            setattr(post_process, name, tap(getattr(post_process, name)))
        try:
            with third_party():
                points = post_process({"maps": np.asarray(probability_map)}, np.array([shape]))[0]["points"]
        finally:
            for name in TAPPED:
                delattr(post_process, name)
        polygons = tuple(np.asarray(polygon, dtype=np.float64) for polygon in points)
        return Detections(polygons, np.array(scores) if len(scores) == len(polygons) else None)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """By stage name, what the operators and the post-process hold, in plain JSON types."""
        network = self._parts.network
        return {
            **self._parts.parameters,
            PROBABILITY_MAP: {"engine": "dygraph", "device": network.device, "outputs": network.outputs},
            DETECTIONS: training_detections(self._parts.post_process),
        }


def _as_png(image: npt.NDArray[np.uint8]) -> bytes:
    import cv2

    # Not compressed: it is decoded at once, and compressing took longer than all operators.
    done, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert done, "cv2 encodes any (H, W, 3) uint8 array as PNG"
    return bytes(encoded)
