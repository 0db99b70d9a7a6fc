"""The printed export command, read by PaddleOCR's own parser: every key that the tool needs is in it, as is meant."""

from __future__ import annotations

import ast
import copy
import io
import os
import shlex
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from real.blob import YML, Model, edited, operators_root, write_yml

PARSER = ("ArgsParser", "load_config", "merge_config")


def parsed(command: str) -> dict[str, Any]:
    """Return the config that tools/export_model.py makes of a command, by the checkout's own functions."""
    program = operators_root() / "tools" / "program.py"
    found = [node for node in ast.parse(program.read_text()).body if getattr(node, "name", "") in PARSER]
    assert len(found) == len(PARSER)
    names: dict[str, Any] = {
        **{"os": os, "yaml": yaml, "open": lambda path, _: io.BytesIO(Path(path).read_bytes())},  # it closes none
        **{"ArgumentParser": ArgumentParser, "RawDescriptionHelpFormatter": RawDescriptionHelpFormatter},
    }
    exec(compile(ast.Module(found, []), str(program), "exec"), names)
    python, tool, *arguments = shlex.split(command)
    assert python == "python"
    assert Path(tool).resolve() == (operators_root() / "tools" / "export_model.py").resolve()
    given = names["ArgsParser"]().parse_args(arguments)
    config: dict[str, Any] = names["merge_config"](names["load_config"](given.config), given.opt)
    return config


def side(train: TrainingPipeline, config: Path, **files: Any) -> TrainingPipeline:
    """Return the train side as one whose network PaddleOCR built, with another yml."""
    other = copy.copy(train)
    other.files = replace(train.files, network=None, config=config, yml=read_config(config), **files)
    return other


def command_of(said: str) -> str:
    before, is_said, command = said.partition("export again: ")
    assert is_said and not before
    return command


NAMES = ["plain", "with a space", "it's", "a # b", "2024", "null", "a: b", '"quoted"', "$HOME", "-o"]


@pytest.mark.parametrize("name", NAMES)
def test_a_yml_without_a_place_or_a_name_gets_both(train: TrainingPipeline, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    settings = {"save_inference_dir": None, "checkpoints": "latest", "character_dict_path": "ppocr/en.txt"}
    config = write_yml(tmp_path / name / "det.yml", {**YML, "Global": settings})
    checkpoint, folder = tmp_path / name / "best.v2.pdparams", tmp_path / name / "inference"
    said = side(train, config, checkpoint=checkpoint).export_command(folder, "PP-OCRv4_mobile_det")
    assert parsed(command_of(said))["Global"] == {
        "pretrained_model": str(checkpoint.with_suffix("")),
        "checkpoints": None,
        "save_inference_dir": str(folder),
        "model_name": "PP-OCRv4_mobile_det",
        "character_dict_path": None,
    }


def test_what_the_yml_says_is_not_said_again(train: TrainingPipeline, tmp_path: Path) -> None:
    config = write_yml(tmp_path / "det.yml", edited(YML, Global__save_inference_dir="out"))
    said = side(train, config).export_command(None, "another_name")
    assert "model_name" not in said
    assert parsed(command_of(said))["Global"]["model_name"] == YML["Global"]["model_name"]
    assert parsed(command_of(said))["Global"]["save_inference_dir"] == "out"


def test_without_any_place_it_lies_beside_the_checkpoint(train: TrainingPipeline, tmp_path: Path) -> None:
    config = write_yml(tmp_path / "det.yml", edited(YML, Global__model_name=None))
    made = parsed(command_of(side(train, config).export_command()))["Global"]
    assert made["save_inference_dir"] == str(train.files.checkpoint.parent / "inference")
    assert made["model_name"] == "PP-OCRv5_mobile_det"


def test_paths_start_where_the_command_is_run(
    train: TrainingPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_yml(tmp_path / "det.yml", YML)
    said = side(train, config, checkpoint=tmp_path / "best.pdparams").export_command(tmp_path / "inference")
    assert " -c det.yml " in said
    assert " Global.pretrained_model=best " in said
    assert said.endswith(" Global.save_inference_dir=inference")


@pytest.mark.parametrize("name", ["epoch=2", "plain"])
def test_what_the_option_can_not_say_is_written_into_the_yml(
    train: TrainingPipeline, tmp_path: Path, name: str
) -> None:
    config = write_yml(tmp_path / "det.yml", YML if name != "plain" else edited(YML, Global=None))
    checkpoint = tmp_path / f"{name}.pdparams"
    said = side(train, config, checkpoint=checkpoint).export_command(tmp_path / "inference")
    _, is_said, rest = said.partition("under Global, set ")
    assert is_said
    lines, _, command = rest.partition("; then: ")
    settings = yaml.safe_load(f"{{{lines}}}")
    assert settings["pretrained_model"] == str(checkpoint.with_suffix(""))
    assert settings["save_inference_dir"] == str(tmp_path / "inference")
    assert "-o" not in shlex.split(command)


def test_a_checkpoint_without_its_suffix_gets_one(train: TrainingPipeline, tmp_path: Path) -> None:
    config = write_yml(tmp_path / "det.yml", YML)
    said = side(train, config, checkpoint=tmp_path / "weights").export_command(tmp_path / "inference")
    copied, command = command_of(said).split(" && ")
    assert shlex.split(copied) == ["cp", str(tmp_path / "weights"), str(tmp_path / "weights.pdparams")]
    assert parsed(command)["Global"]["pretrained_model"] == str(tmp_path / "weights")


@pytest.mark.parametrize(
    ("folder", "target", "copied"),
    [
        ("deploy/Student", "deploy", []),
        ("deploy", "deploy_all", ["cp {0}/deploy_all/Student/inference.* {0}/deploy"]),
    ],
)
def test_of_a_distillation_the_sub_model_takes_the_place_of_the_deployed_program(
    train: TrainingPipeline, tmp_path: Path, folder: str, target: str, copied: list[str]
) -> None:
    config = write_yml(tmp_path / "det.yml", YML)
    said = side(train, config, sub_model="Student").export_command(tmp_path / folder)
    command, *gathered = command_of(said).split(" && ")
    assert parsed(command)["Global"]["save_inference_dir"] == str(tmp_path / target)
    assert gathered == [each.format(tmp_path) for each in copied]


def test_a_network_of_the_users_is_exported_by_the_users_script(train: TrainingPipeline, model: Model) -> None:
    assert train.export_command(model.export) == f"run your export script again, with {model.checkpoint}"


def test_a_checkout_without_the_tool_can_not_run_it(train: TrainingPipeline, tmp_path: Path) -> None:
    config = write_yml(tmp_path / "det.yml", YML)
    said = side(train, config, paddleocr_root=tmp_path).export_command()
    assert said == f"run your export script again, with {train.files.checkpoint}"
