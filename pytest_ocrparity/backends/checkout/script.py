"""One of a checkout's `tools/infer` scripts: loads its class on an export, says why it refuses one, and records it.

The class runs as it is; what it calls is replaced for the length of one run.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from pytest_ocrparity.artifacts.model_files import ONNX, ExportFiles, fingerprint_export_files
from pytest_ocrparity.backends.checkout.flags import parsed_flags
from pytest_ocrparity.backends.isolation import isolated_checkout
from pytest_ocrparity.backends.ppocr.operators import import_ppocr_operators
from pytest_ocrparity.backends.replacing import Stopped, replaced
from pytest_ocrparity.errors import ModelError

MODEL_FLAGS: Final = {"predict_det": "det_model_dir", "predict_rec": "rec_model_dir"}
"""By script, the flag that names the export's folder."""
CLASSES: Final = {"predict_det": "TextDetector", "predict_rec": "TextRecognizer"}
"""By script, its class."""
DICTIONARY: Final = "rec_char_dict_path"
"""The flag that names the dictionary."""


@dataclass(frozen=True)
class Script:
    """A script of `tools/infer`.

    Attributes:
        api: its name without the suffix.
        root: the checkout.
    """

    api: str
    root: Path

    @property
    def label(self) -> str:
        """Its file name, as messages call it."""
        return f"{self.api}.py"

    def load(
        self, export: ExportFiles, options: Mapping[str, Any], *, without_onednn: bool = False
    ) -> tuple[Any, Namespace]:
        """Return an object of its class, and the arguments that it was made with.

        It is made on a temporary copy of the export, as that of newer checkouts writes a dictionary into the folder.

        Args:
            export: the export's files.
            options: flags by name.
            without_onednn: switch oneDNN off where the script has made its configuration, for an experiment.

        Raises:
            ModelError: a flag is wrong, the script refuses the export, it changes the original, or something to import
                is missing.
        """
        with (
            isolated_checkout(self.root, "inference.paddleocr_root"),
            tempfile.TemporaryDirectory(prefix="ocrparity-") as folder,
        ):
            import_ppocr_operators()
            module = self._import()
            arguments = parsed_flags(module.utility.init_args(), options, self.label)
            _check_devices(arguments, options)
            self._check_files(arguments, options)
            before = _state_of(export)
            copied = Path(shutil.copytree(export.folder, Path(folder) / export.folder.name))
            setattr(arguments, MODEL_FLAGS[self.api], str(copied / ONNX if arguments.use_onnx else copied))
            try:
                off = _onednn_off(module.utility) if without_onednn else nullcontext()
                with self._called_in_the_checkout(module), off:
                    made = getattr(module, CLASSES[self.api])(arguments)
            except ImportError:
                raise
            except (Exception, SystemExit) as error:  # whatever its constructor and paddle raise
                raise ModelError(self._refusal(error, export, str(folder))) from error
            if _state_of(export) != before:
                raise ModelError(f"{self.label} of {self.root} has changed files of {export.folder} while it loaded it")
        return made, arguments

    def _check_files(self, arguments: Namespace, options: Mapping[str, Any]) -> None:
        """Refuse a dictionary that is not there, and another algorithm than the one that is compared."""
        if DICTIONARY in options and not (path := self.root / str(options[DICTIONARY])).is_file():
            raise ModelError(f"inference.options: no file at {path}, which {DICTIONARY} names")
        if self.api == "predict_det" and arguments.det_algorithm not in ("DB", "DB++"):
            raise ModelError(
                f"inference.options: det_algorithm is {arguments.det_algorithm!r}; {self.label} is compared with a DB "
                "model alone"
            )

    def again(self, made: Any, arguments: Namespace) -> Any:
        """Return an object of its class with other arguments, around the network of `made`, for an experiment."""
        network = made.predictor, made.input_tensor, made.output_tensors, made.config
        with isolated_checkout(self.root, "inference.paddleocr_root"):
            module = self._import()
            own = {}
            if self.api == "predict_rec":  # no experiment changes its post-process, whose dictionary may be gone
                own["build_post_process"] = lambda *_: made.postprocess_op
            with replaced(module.utility, create_predictor=lambda *_: network), replaced(module, **own):
                return getattr(module, CLASSES[self.api])(arguments)

    def default_of(self, flag: str) -> Any:
        """Return what a flag is where a user gives none."""
        with isolated_checkout(self.root, "inference.paddleocr_root"):
            return self._import().utility.init_args().get_default(flag)

    def _import(self) -> Any:
        if not (self.root / "tools" / "infer" / self.label).is_file():
            raise ModelError(f"{self.root} holds no tools/infer/{self.label} (set in inference.paddleocr_root)")
        return importlib.import_module(f"tools.infer.{self.api}")

    def _called_in_the_checkout(self, module: Any) -> AbstractContextManager[None]:
        """Let the dictionary's path start at the checkout, where the script's default for it leads somewhere."""
        real = module.build_post_process

        def build(config: Any, *rest: Any) -> Any:
            path = config.get("character_dict_path")
            return real({**config, **({"character_dict_path": str(self.root / path)} if path else {})}, *rest)

        return replaced(module, build_post_process=build)

    def _refusal(self, error: BaseException, export: ExportFiles, folder: str) -> str:
        said = " ".join(str(error).split()).replace(f"{folder}/", "").partition(" [Hint:")[0].rstrip(".")
        program = export.program.name if export.program is not None else ""
        text = f"{self.label} of {self.root} cannot load {export.folder}: {type(error).__name__}: {said}"
        if "memory_optimize_pass" in said and program.endswith(".json"):
            return (
                f"{text}. This release of it loads no {program}: run that of a later checkout, or export an "
                "inference.pdmodel, which PaddleOCR 2.10 with paddle 3.1 or older writes"
            )
        if "not supported" in said:
            return (
                f"{text}. It knows the export by Global.model_name in inference.yml alone: take that name out of the "
                "inference.yml that it is given, there and here, or deploy with paddleocr 3.x, which knows it"
            )
        return text


def _check_devices(arguments: Namespace, options: Mapping[str, Any]) -> None:
    """Refuse a device that this paddle is built without, as paddle itself ends the process of some.

    `use_gpu` is true by default, whatever this paddle can do: it is set to what it can.
    """
    import paddle

    if "use_gpu" not in options:
        arguments.use_gpu = bool(paddle.is_compiled_with_cuda())
    built = {
        "use_gpu": paddle.is_compiled_with_cuda(),
        "use_xpu": paddle.is_compiled_with_xpu(),
        "use_npu": paddle.is_compiled_with_custom_device("npu"),
        "use_mlu": paddle.is_compiled_with_custom_device("mlu"),
    }
    for flag, is_built in built.items():
        if getattr(arguments, flag, False) and not is_built:
            raise ModelError(
                f"inference.options: {flag} is true, and the paddle that is installed is built without it: take {flag} "
                "out here, or install the paddle of that device"
            )


def _state_of(export: ExportFiles) -> tuple[list[str], Mapping[str, str]]:
    """Return what a folder holds, and the digests of the files of the export."""
    return sorted(path.name for path in export.folder.iterdir()), fingerprint_export_files(export)


def _onednn_off(utility: Any) -> AbstractContextManager[None]:
    """Let `create_predictor` find oneDNN switched off in the configuration that the script has made."""
    real = utility.inference

    def create(config: Any) -> Any:
        config.disable_mkldnn()
        return real.create_predictor(config)

    other = SimpleNamespace(Config=real.Config, PrecisionType=real.PrecisionType, create_predictor=create)
    return replaced(utility, inference=other)


class Network:
    """Stands in the place of a network: its predictor, its input tensor and its output tensors at once."""

    name = "x"

    def __init__(self, output: Any = None, shape: Any = ()) -> None:
        """Return `output`; None ends the run, with what was given as `given`."""
        self.given: Any = None
        self.shape, self._output = shape, output

    def copy_from_cpu(self, tensor: Any) -> None:
        """Take the input, as paddle's input tensor does."""
        self.given = tensor

    def run(self, *given: Any) -> Any:
        """Run, as paddle's predictor does, or with (names, inputs) as ONNX Runtime's session does."""
        if given:
            (self.given,) = given[1].values()
        if self._output is None:
            raise Stopped
        return [self._output]

    def copy_to_cpu(self) -> Any:
        """Return the output, as paddle's output tensor does."""
        return self._output


def in_place_of_network(target: Any, output: Any = None) -> tuple[Network, dict[str, Any]]:
    """Return a stand-in for a network, and the attributes of the script's object that it takes the place of."""
    net = Network(output, getattr(target.input_tensor, "shape", ()))
    return net, {"predictor": net, "input_tensor": net, "output_tensors": [net]}


class Page:
    """Stands for a page of which only the size is looked at; it takes no memory."""

    def __init__(self, height: float, width: float) -> None:
        """Take the size in px."""
        self.shape = (int(height), int(width), 3)

    def copy(self) -> Page:
        """Return itself, as nobody writes into it."""
        return self


def read_first_page(path: str) -> Any:
    """Return what the scripts read of a file, of several pages the first; None where it is no image."""
    import cv2
    from ppocr.utils.utility import check_and_read

    read, is_gif, is_pdf = check_and_read(path)
    if not is_gif and not is_pdf:
        return cv2.imread(path)
    return read[0] if is_pdf else read
