"""What can be wrong with the train side's files: one clear error each, before PaddleOCR or paddle see them."""

from __future__ import annotations

import collections
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import EXAMPLE

from pytest_ocrparity.artifacts.configs import config_scale
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.errors import ModelError
from real.blob import YML, Model, edited, transforms, write_yml

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


def refused(model: Model, message: str, **settings: Any) -> None:
    with pytest.raises(ModelError, match=message):
        load_training(**{**model.train, **settings})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Global: \xff\n", r"my\.yml: not UTF-8 at byte 8: save it as UTF-8"),
        (b"Global: [1,\nEval: 2}", r"my\.yml: not valid YAML at line 2: "),
        (b"Global: !!python/name:os.system x", r"my\.yml: not valid YAML at line 1: could not determine a constructor"),
        (b"- 1", r"my\.yml: holds a list, not the mapping of a PaddleOCR YAML file"),
        (b"", r"my\.yml: holds nothing, not the mapping of a PaddleOCR YAML file"),
        (POINTER.encode(), r"my\.yml is a git-lfs pointer, not the file itself: run `git lfs pull`"),
    ],
    ids=["encoding", "syntax", "python-tag", "list", "empty", "lfs"],
)
def test_a_yml_that_does_not_read(model: Model, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "my.yml"
    path.write_bytes(content)
    refused(model, message, config=path)


def test_an_inference_yml_is_not_taken_for_it(model: Model) -> None:
    message = r"has no Eval\.dataset\.transforms: it is an inference\.yml, of an export: name the training YAML file"
    for folder in ("inference", "inference_rec"):
        refused(model, rf"{folder}/inference\.yml {message}", config=EXAMPLE / folder / "inference.yml")


def test_a_missing_yml(model: Model, tmp_path: Path) -> None:
    refused(model, r"gone\.yml: cannot read this YAML file: No such file or directory", config=tmp_path / "gone.yml")


EVIL = "__import__('os').system('touch evil')"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Eval": None}, r"Eval\.dataset\.transforms is nothing, not a list"),
        (
            {"Eval__dataset__transforms": []},
            r"Eval\.dataset\.transforms is empty: they are the train side's preprocessing",
        ),
        ({"Eval__dataset__transforms": [*transforms(), "Pad"]}, r"transforms\[6\] is 'Pad', not one operator name"),
        ({"Eval__dataset__transforms": [{"Pad": 3}]}, r"transforms\[0\]: Pad has 3 for arguments, not a mapping"),
        ({"Eval__dataset__transforms": transforms()[2:]}, r"lacks DecodeImage, without which tools/infer_det\.py"),
        ({"PostProcess": None}, r"PostProcess is nothing, not a mapping: it turns the probability map into boxes"),
        (
            {"PostProcess__name": "EASTPostProcess"},
            r"PostProcess\.name is 'EASTPostProcess', not DBPostProcess or Dist",
        ),
        ({"Architecture": None}, r"Architecture is nothing, not a mapping: this is no PaddleOCR training YAML file"),
        ({"Architecture__algorithm": "EAST"}, r"Architecture\.algorithm is 'EAST'; only DB, DB\+\+ and their Distill"),
        (
            {"Architecture__algorithm": "Distillation"},
            r"Architecture\.Models is nothing, not a mapping: a Distil",
        ),
        (
            {"Architecture": {"algorithm": "Distillation", "Models": {"A": {"algorithm": "SAST"}}}},
            r"Architecture\.Models\.A\.algorithm is 'SAST'",
        ),
        ({"Global": [1]}, r"Global is a list, not a mapping"),
        (
            {"Eval__dataset__transforms": [*transforms(), {EVIL: None}]},
            r"names .*touch evil.*only these are let through",
        ),
        (
            {"Eval__dataset__transforms": transforms(NormalizeImage={"scale": EVIL})},
            r"NormalizeImage\.scale is .*touch evil.*write a number or a fraction such as 1\./255\.",
        ),
        ({"Global__scale": EVIL}, r"Global\.scale is .*touch evil.*write a number or a fraction"),
        ({"Global__scale": True}, r"Global\.scale is True; write a number"),
        (
            {"PostProcess__score_mode": "medium"},
            r"PaddleOCR refuses this YAML file: AssertionError: Score mode must be in",
        ),
    ],
)
def test_a_yml_that_is_wrong(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(model, message, config=write_yml(tmp_path / "my.yml", edited(YML, **changes)))
    assert not (tmp_path / "evil").exists()


def test_a_label_operator_is_dropped_unseen(model: Model, tmp_path: Path) -> None:
    """As tools/infer_det.py drops it: by "Label" in its name, so that no name reaches `eval`."""
    changed = edited(YML, Eval__dataset__transforms=[{f"Label{EVIL}": None}, *transforms()])
    assert load_training(**{**model.train, "config": write_yml(tmp_path / "my.yml", changed)})


@pytest.mark.parametrize(
    ("written", "value"),
    [("1./255.", 1 / 255), ("1/255", 1 / 255), ("0.5", 0.5), (2, 2.0), (None, 1 / 255), (".5e", None)],
)
def test_scale_is_a_number_or_a_fraction(written: object, value: float | None) -> None:
    if value is None:
        with pytest.raises(ModelError, match=r"my\.yml: scale is '\.5e'"):
            config_scale(written, Path("my.yml"), "scale")
    else:
        assert config_scale(written, Path("my.yml"), "scale") == value


@pytest.mark.parametrize("written", ["1/0", "-1", "1./255.**2", "(1)", "1./255.\n1", ""])
def test_scale_is_nothing_else(written: str) -> None:
    with pytest.raises(ModelError, match=r"my\.yml: scale is"):
        config_scale(written, Path("my.yml"), "scale")


def test_a_missing_checkpoint(model: Model, tmp_path: Path) -> None:
    refused(
        model,
        r"no checkpoint at .*best\.pdparams or .*best, which the setting train\.checkpoint names",
        checkpoint=tmp_path / "best",
    )
    (tmp_path / "latest.pdparams").touch()
    (tmp_path / "out").mkdir()
    for name in ("best", "out"):
        refused(
            model,
            rf"which the setting train\.checkpoint names; {tmp_path} holds latest\.pdparams",
            checkpoint=tmp_path / name,
        )
    (tmp_path / "out" / "best.pdparams").touch()
    refused(model, rf"train\.checkpoint names; {tmp_path}/out holds best\.pdparams$", checkpoint=tmp_path / "out")
    refused(model, r"neither Global\.checkpoints nor Global\.pretrained_model names a checkpoint", checkpoint=None)


def test_a_checkpoint_that_the_yml_names_but_is_not_there(model: Model, tmp_path: Path) -> None:
    path = write_yml(tmp_path / "my.yml", edited(YML, Global__checkpoints="./output/best"))
    root = model.train["paddleocr_root"]
    message = rf"no checkpoint at {root}/output/best\.pdparams or .* or {tmp_path}/output/best\.pdparams.*Global\.check"
    refused(model, message, config=path, checkpoint=None)


def test_a_url_is_not_downloaded(model: Model, tmp_path: Path) -> None:
    path = write_yml(tmp_path / "my.yml", edited(YML, Global__pretrained_model="https://example.org/best.pdparams"))
    refused(
        model,
        r"Global\.pretrained_model\) is a URL, https://example\.org.*nothing is down",
        config=path,
        checkpoint=None,
    )


class Runs:
    """A pickle that would run a command."""

    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_checkpoint_that_would_run_something(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pdparams"
    path.write_bytes(pickle.dumps({"head.weight": Runs()}, protocol=protocol))
    refused(
        model, r"names (posix|nt)\.system, which loading would run.*train\.trust_checkpoint = true", checkpoint=path
    )
    assert not (tmp_path / "evil").exists()


def test_a_trusted_checkpoint_may_name_other_globals(model: Model, tmp_path: Path) -> None:
    with model.checkpoint.open("rb") as file:
        values = pickle.load(file)
    path = tmp_path / "ordered.pdparams"
    path.write_bytes(pickle.dumps(collections.OrderedDict(values), protocol=4))
    refused(model, r"names collections\.OrderedDict, which loading would run", checkpoint=path)
    assert load_training(**{**model.train, "checkpoint": path, "trust_checkpoint": True})


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_of_every_numpy_are_harmless(model: Model, tmp_path: Path, module: str) -> None:
    """numpy 2 moved its core; a checkpoint says where it was when it was written."""
    with model.checkpoint.open("rb") as file:
        values = pickle.load(file)
    data = pickle.dumps(values, protocol=2)  # the oldest that paddle.save writes; names _codecs.encode
    assert b"_codecs" in data
    path = tmp_path / "numpy.pdparams"
    path.write_bytes(data.replace(b"numpy._core.multiarray", module.encode()))
    assert load_training(**{**model.train, "checkpoint": path})


@pytest.mark.parametrize("trust", [False, True])
def test_a_truncated_checkpoint(model: Model, tmp_path: Path, trust: bool) -> None:
    path = tmp_path / "cut.pdparams"
    path.write_bytes(model.checkpoint.read_bytes()[:-40])
    refused(
        model,
        r"cut\.pdparams: (not a whole checkpoint \(|paddle .* cannot load this checkpoint)",
        checkpoint=path,
        trust_checkpoint=trust,
    )


def test_an_lfs_pointer_or_an_empty_file_for_a_checkpoint(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "best.pdparams"
    path.write_text(POINTER)
    refused(model, r"best\.pdparams is a git-lfs pointer, not the file itself: run `git lfs pull`", checkpoint=path)
    path.write_bytes(b"")
    refused(model, r"best\.pdparams is empty", checkpoint=path)


@pytest.mark.parametrize("trust", [False, True])
def test_a_checkpoint_that_is_no_mapping(model: Model, tmp_path: Path, trust: bool) -> None:
    path = tmp_path / "list.pdparams"
    path.write_bytes(pickle.dumps([1, 2]))
    refused(model, r"holds a list, not the mapping of a paddle checkpoint", checkpoint=path, trust_checkpoint=trust)


def test_a_checkpoint_of_another_network_is_listed(model: Model, tmp_path: Path) -> None:
    with model.checkpoint.open("rb") as file:
        values = pickle.load(file)
    del values["StructuredToParameterName@@"]  # paddle's own table of names
    values["neck.weight"] = values.pop("stem.wide.weight")
    values["head.weight"] = np.zeros((1, 5, 1, 1), dtype=np.float32)
    path = tmp_path / "other.pdparams"
    path.write_bytes(pickle.dumps(values, protocol=4))
    refused(
        model,
        r"other\.pdparams is not a checkpoint of the YAML file's network: 4 of 6 keys fit; 1 missing: "
        r"stem\.wide\.weight; 1 unexpected: neck\.weight; 1 of another shape: head\.weight \[1, 5, 1, 1\], the "
        r"network has \[1, 4, 1, 1\]",
        checkpoint=path,
    )


def test_only_the_first_of_many_keys_are_listed(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "foreign.pdparams"
    path.write_bytes(pickle.dumps({f"layer{n}": np.zeros(2, dtype=np.float32) for n in range(9)}, protocol=4))
    refused(
        model, r"0 of 6 keys fit; 6 missing: .*, \.\.\.; 9 unexpected: layer0, layer1, layer2, \.\.\.", checkpoint=path
    )


DISTILLATION = {
    "algorithm": "Distillation",
    "Models": {"Student": {"algorithm": "DB"}, "Teacher": {"algorithm": "DB"}},
}


@pytest.mark.parametrize(
    ("sub_model", "message"),
    [
        (None, r"trains 2 networks and train\.sub_model picks none: set it to Student or Teacher"),
        ("Pupil", r"trains 2 networks and train\.sub_model is 'Pupil': set it to Student or Teacher"),
    ],
)
def test_a_distillation_needs_a_sub_model(model: Model, tmp_path: Path, sub_model: str | None, message: str) -> None:
    path = write_yml(tmp_path / "my.yml", edited(YML, Architecture=DISTILLATION))
    refused(model, message, config=path, sub_model=sub_model)


def test_a_plain_yml_takes_no_sub_model(model: Model) -> None:
    refused(model, r"trains one network, so train\.sub_model = 'Student' picks nothing", sub_model="Student")


def test_a_network_whose_parts_are_not_the_sub_models(model: Model, tmp_path: Path) -> None:
    path = write_yml(tmp_path / "my.yml", edited(YML, Architecture={**DISTILLATION, "Backbone": {}}))
    refused(model, r"names Student, but the parts of the network are stem, head", config=path, sub_model="Student")


def test_a_device_that_is_not_there(model: Model) -> None:
    refused(model, r"train\.device = 'gpuu': paddle .* has no such device", device="gpuu")


def test_a_network_function_that_returns_no_layer(model: Model) -> None:
    refused(model, r"returned a str, not a paddle\.nn\.Layer", network="blob_net:build_nothing")


def test_the_pip_distribution_has_no_networks(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ppocr.modeling", None)
    refused(model, r"no ppocr\.modeling .*full checkout, or train\.network", network=None)


def test_a_network_function_that_raises(model: Model, tmp_path: Path) -> None:
    path = write_yml(tmp_path / "my.yml", edited(YML, Architecture__Backbone=None))
    refused(model, r"train\.network = 'blob_net:build' raised KeyError: 'Backbone'", config=path)
