"""The settings of results that were written elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import settings_file

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.settings import load_settings


def test_results_inherit_nothing_of_what_runs_and_another_class_which_model_it_is(tmp_path: Path) -> None:
    text = """
        [inference]
        model_dir = "a"
        model_name = "m"
        options = { device = "cpu" }
        [candidates.server]
        api = "results"
        results = "out/{stem}.json"
        [candidates.same]
        api = "TextDetection"
        [candidates.whole]
        api = "PaddleOCR"
        """
    found = load_settings(settings_file(tmp_path, text), {}, tmp_path).candidates
    assert found["server"].values == {
        "api": "results",
        "results": tmp_path / "out" / "{stem}.json",
    }
    assert found["same"].values["options"] == {"device": "cpu"}
    assert found["whole"].values == {"api": "PaddleOCR", "model_dir": tmp_path / "a", "model_name": "m"}


RESULTS = '[inference]\napi = "results"\nresults = "out/{stem}.json"\n'


@pytest.mark.parametrize("line", ['model_dir = "b"', "options = { thresh = 0.2 }", 'engine = "onnxruntime"'])
def test_a_candidate_that_runs_does_not_judge_the_results_of_inference_again(tmp_path: Path, line: str) -> None:
    found = load_settings(settings_file(tmp_path, f"{RESULTS}[candidates.b]\n{line}"), {}, tmp_path).candidates
    assert found["b"].values.keys() == {line.split()[0]}


def test_a_candidate_of_other_results_inherits_that_they_are_results(tmp_path: Path) -> None:
    text = f'{RESULTS}[candidates.b]\nresults = "other/{{stem}}.json"'
    assert load_settings(settings_file(tmp_path, text), {}, tmp_path).candidates["b"].values["api"] == "results"


def test_a_folder_from_the_command_line_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='--ocr-inference-dir=b: with api = "results" nothing runs'):
        load_settings(settings_file(tmp_path, RESULTS), {"ocr_inference_dir": "b"}, tmp_path)


@pytest.mark.parametrize("key", ["model_dir", "model_name", "options_file"])
def test_what_runs_nothing_has_no_model(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"inference\.{key} does nothing with api"):
        load_settings(settings_file(tmp_path, f'{RESULTS}{key} = "b"'), {}, tmp_path)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('results = "out/{stem}.json"', r'inference\.results means something with api = "results" only'),
        ('frame = "image"', r'inference\.frame means something with api = "results" only'),
        ('api = "results"', r'inference\.api is "results", and no .*inference\.results says where'),
        ('api = "results"\nresults = "out/{steem}.json"', r"results has \{steem\}; did you mean 'stem'\?"),
        ('api = "results"\nresults = "out/a.json"', r"results names one file for all images: put \{stem\} in it"),
        ('api = "results"\nresults = "{parent}/a.json"', r"results names one file for all images"),
        ('api = "results"\nresults = "{stem}.json"\noptions = {}', r"options does nothing with api = \"results\""),
        (
            'api = "Results"',
            r"inference\.api is one of TextDetection, .*, results, not 'Results'",
        ),
        ('api = "results"\nresults = "{stem}"\nframe = "page"', r"inference\.frame is one of file, image, not 'page'"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(settings_file(tmp_path, f"[inference]\n{table}"), {}, tmp_path)


@pytest.mark.parametrize("template", ["out/{stem}.json", "{parent}/{name}.json", "{stem}"])
def test_what_names_a_file_per_image_is_taken(tmp_path: Path, template: str) -> None:
    text = f'[inference]\napi = "results"\nresults = "{template}"\nframe = "image"'
    assert load_settings(settings_file(tmp_path, text), {}, tmp_path).candidates["inference"].values["frame"] == "image"
