"""A hint names the place that a value came from: the settings file, or the option that was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.session.models import inference_model, inference_model_problems, train_model, train_model_problems
from pytest_ocrparity.settings import Settings, load_settings


def settings(folder: Path, text: str, **options: object) -> Settings:
    path = folder / "ocrparity.toml"
    path.write_text(text)
    return load_settings(path, options, folder)


def test_a_glob_of_the_file_is_told_about_its_folder_and_not_about_a_shell(tmp_path: Path) -> None:
    (tmp_path / "pages" / "new").mkdir(parents=True)
    said = settings(tmp_path, "images = ['pages/neu/*.png', 'pages/new/*.png']").no_image()
    assert f"`images` starts at the folder of {tmp_path / 'ocrparity.toml'}" in said
    old, new = tmp_path / "pages", tmp_path / "pages" / "new"
    assert said.endswith(
        f"the nearest folder that is there: {old}, which holds no image, but the folders new, "
        f"{new}, which holds no image"
    )


def test_a_glob_that_was_typed_is_told_nothing_of_the_file(tmp_path: Path) -> None:
    said = settings(tmp_path, "images = ['pages/*.png']", ocr_images=["seiten/*.png"]).no_image()
    assert f"seiten/*.png matches no file; the nearest folder that is there: {tmp_path}, which" in said
    assert "ocrparity.toml" not in said


@pytest.mark.parametrize(
    ("names", "held"), [(["a.JPG", "b.JPG", "c.tif", "d.txt"], "2 of *.JPG, 1 of *.tif"), (["d.txt"], "no image")]
)
def test_a_glob_is_told_what_its_folder_holds(tmp_path: Path, names: list[str], held: str) -> None:
    (tmp_path / "pages").mkdir()
    for name in names:
        (tmp_path / "pages" / name).touch()
    assert settings(tmp_path, "images = ['pages/*.png']").no_image().endswith(f"pages, which holds {held}")


def test_an_idle_glob_is_named_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    found = settings(tmp_path, "images = ['b*.png', '*.png']").idle_globs()
    assert [text.partition(" matches")[0] for text in found] == ["images: b*.png"]
    found = settings(tmp_path, "", ocr_images=["b*.png", "*.png"]).idle_globs()
    assert [text.partition(" matches")[0] for text in found] == ["--ocr-images: b*.png"]


def test_a_missing_file_is_said_to_be_set_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("Global: {}\n")
    text = "[train]\nconfig = 'a.yml'\ncheckpoint = 'a'\npaddleocr_root = 'r'\n[inference]\nmodel_dir = 'x'"
    of_file = settings(tmp_path, text)
    told = "\n".join(train_model_problems(of_file) + inference_model_problems(of_file))
    for name in ("the setting train.checkpoint", "train.paddleocr_root", "inference.model_dir"):
        assert name in told
    assert "--ocr-" not in told
    options = {"ocr_train_checkpoint": "b", "ocr_paddleocr_root": "s", "ocr_inference_dir": "y"}
    typed = settings(tmp_path, text, **options)
    told = "\n".join(train_model_problems(typed) + inference_model_problems(typed))
    for option in ("which --ocr-train-checkpoint names", "(set in --ocr-paddleocr-root)", "--ocr-inference-dir is the"):
        assert option in told
    assert "train.checkpoint" not in told
    assert "inference.model_dir" not in told


def test_of_several_candidates_no_option_is_offered_that_is_refused(tmp_path: Path) -> None:
    text = "[candidates.a]\nmodel_name = 'a'\n[candidates.b]\nmodel_dir = 'b'"
    with pytest.raises(SettingsError, match=r"sets no candidates\.a\.model_dir: set it$"):
        inference_model(settings(tmp_path, text), "a")
    with pytest.raises(SettingsError, match=r"sets no train\.config: set it, or pass --ocr-train-config$"):
        train_model(settings(tmp_path, text))
    with pytest.raises(SettingsError, match=r"model_dir: set it, or pass --ocr-inference-dir$"):
        inference_model(settings(tmp_path, "[candidates.a]\nmodel_name = 'a'"), "a")


def test_a_link_says_where_its_paths_start(tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    (shared / "ocrparity.toml").write_text("images = ['*.png']")
    link = own / "ocrparity.toml"
    link.symlink_to(shared / "ocrparity.toml")
    assert (
        f"the folder of {link}, which is a link to {shared / 'ocrparity.toml'}"
        in load_settings(link, {}, own).no_image()
    )
    (own / "a.png").touch()
    assert load_settings(link, {}, own).image_paths() == [own / "a.png"]
