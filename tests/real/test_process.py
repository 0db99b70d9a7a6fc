"""What is imported for both sides, and from where; `test_global_state` has what that leaves in the process."""

from __future__ import annotations

import importlib
import importlib.abc
import os
import sys
import types
import warnings
from pathlib import Path

import pytest

from pytest_ocrparity.backends.isolation import import_entry_point, isolated, isolated_checkout
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.errors import ModelError
from real.blob import HERE, Model, operators_root


def test_the_users_own_tools_are_back(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = types.ModuleType("tools")
    monkeypatch.setitem(sys.modules, "tools", mine)
    train = load_training(**model.train)
    load_inference(model_dir=model.export)
    assert sys.modules["tools"] is mine
    assert not [name for name in sys.modules if name.startswith("tools.")]
    assert str(operators_root()) not in sys.path
    assert train.name == "train"


def test_the_checkouts_tools_serve_ppocr_only(model: Model) -> None:
    load_training(**model.train)
    assert "tools" not in sys.modules
    copy_paste = sys.modules["ppocr.data.imaug.copy_paste"]
    assert copy_paste.get_rotate_crop_image.__module__ == "tools.infer.utility"
    with isolated_checkout(operators_root()):
        assert Path(str(importlib.import_module("tools.infer.utility").__file__)).is_relative_to(operators_root())
    assert "tools" not in sys.modules


def test_the_installed_paddleocr_is_not_shadowed(model: Model) -> None:
    load_training(**model.train)
    with isolated():
        import paddleocr
    assert not Path(str(paddleocr.__file__)).is_relative_to(operators_root())


def test_warnings_and_environment_of_libraries_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "mine")
    monkeypatch.setenv("LOST", "mine")
    with isolated():
        warnings.warn("No ccache found", UserWarning, stacklevel=1)
        os.environ["OMP_NUM_THREADS_OF_TEST"] = "1"
        os.environ["KEPT"] = "theirs"
        del os.environ["LOST"]
    assert (os.environ["KEPT"], os.environ["LOST"]) == ("mine", "mine")
    assert "OMP_NUM_THREADS_OF_TEST" not in os.environ


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'paddle'", name="paddle"), r"pip install \"pytest-ocrparity\[paddle\]\""),
        (ModuleNotFoundError("No module named 'x'", name="paddlex.y"), r"pip install \"pytest-ocrparity\[paddle\]\""),
        (
            ModuleNotFoundError("No module named 'lmdb'", name="lmdb"),
            r"lmdb.*pip install \"pytest-ocrparity\[train\]\"",
        ),
        (
            ModuleNotFoundError("No module named 'imgaug'", name="imgaug"),
            r"'imgaug': install what has it; .*require",
        ),
        (ModuleNotFoundError("No module named 'ppocr'", name="ppocr"), r"set train\.paddleocr_root to a PaddleOCR"),
        (ImportError("libGL.so.1: cannot open shared object file"), r"libGL.*apt-get install libgl1 libglib2\.0-0"),
        (ImportError("libgthread-2.0.so.0: cannot open"), r"libgthread.*apt-get install libgl1 libglib2\.0-0"),
    ],
)
def test_what_is_not_installed_is_named_with_its_remedy(error: ImportError, message: str) -> None:
    with pytest.raises(ModelError, match=message), isolated():
        raise error


def test_a_second_checkout_is_refused(model: Model, tmp_path: Path) -> None:
    load_training(**model.train)
    (tmp_path / "ppocr").mkdir()
    (tmp_path / "ppocr" / "__init__.py").touch()
    with pytest.raises(ModelError, match=r"already imported ppocr from .*run the two projects in two pytest commands"):
        load_training(**{**model.train, "paddleocr_root": tmp_path})


def test_a_root_without_ppocr_is_refused_and_the_folder_below_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no folder ppocr: it must be a PaddleOCR checkout"):
        load_training(**{**model.train, "paddleocr_root": tmp_path})
    (tmp_path / "paddleocr" / "ppocr").mkdir(parents=True)
    (tmp_path / "paddleocr" / "ppocr" / "__init__.py").touch()
    with pytest.raises(ModelError, match=r"holds no folder ppocr; .*paddleocr has one"):
        load_training(**{**model.train, "paddleocr_root": tmp_path})


def test_modules_of_one_name_in_two_folders_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two projects in one run may both keep their network in, say, `net.py`."""
    for folder in ("one", "two"):
        (tmp_path / folder / "own_net_of_test").mkdir(parents=True)
        (tmp_path / folder / "own_net_of_test" / "build.py").write_text(f"name = {folder!r}\n")
    (tmp_path / "two" / "own_net_of_test" / "__init__.py").touch()
    path = list(sys.path)
    reference = "own_net_of_test.build:name"
    folders = ["one", "two", "one"]
    assert [import_entry_point(reference, tmp_path / folder) for folder in folders] == folders
    assert sys.path == path
    for name in [name for name in sys.modules if name.startswith("own_net_of_test")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("blob_net", r"train\.network is 'blob_net', not \"package\.module:function\""),
        (
            "blob_nett:build",
            r"train\.network = 'blob_nett:build' \(looked in .*real first\): No module named 'blob_nett'",
        ),
        ("blob_net:bild", r"train\.network = 'blob_net:bild' \(.*\): module 'blob_net' has no attribute 'bild'"),
    ],
)
def test_a_network_that_is_not_there(model: Model, reference: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_training(**{**model.train, "network": reference, "network_folder": HERE})


def test_a_network_module_that_does_not_import(model: Model, tmp_path: Path) -> None:
    (tmp_path / "broken_net_of_test.py").write_text("1 / 0\n")
    with pytest.raises(ModelError, match=r"'broken_net_of_test:build' .*ZeroDivisionError: division by zero"):
        load_training(**{**model.train, "network": "broken_net_of_test:build", "network_folder": tmp_path})


def test_operators_that_do_not_suit_their_libraries(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """PaddleOCR before 2.10 imports imgaug, which uses a name that numpy 2 has not."""
    load_training(**model.train)

    class Unsuitable(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
            if fullname == "ppocr.data":
                raise AttributeError("`np.sctypes` was removed")

    for name in [name for name in sys.modules if name.startswith("ppocr.data")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Unsuitable(), *sys.meta_path])
    with pytest.raises(ModelError, match=r"does not suit what is installed here: AttributeError: `np\.sctypes` was"):
        load_training(**model.train)
