"""Where a recogniser's dictionary is, and the sentences for one that is not the network's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.artifacts.dictionary import (
    check_export_dictionary,
    dictionary_digest,
    dictionary_fingerprint,
    dictionary_misfit,
    find_dictionary,
    named_dictionary,
)
from pytest_ocrparity.errors import ModelError


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"Global": {"character_dict_path": "a.txt"}}, ("Global.character_dict_path", "a.txt")),
        ({"PostProcess": {"character_dict_path": "b.txt"}}, ("PostProcess.character_dict_path", "b.txt")),
        (
            {"Global": {"character_dict_path": "a.txt"}, "PostProcess": {"character_dict_path": "b.txt"}},
            ("Global.character_dict_path", "a.txt"),
        ),
        ({"Global": {"character_dict_path": None}, "PostProcess": {"character_dict_path": "b.txt"}}, None),
        ({"Global": None, "PostProcess": {"name": "CTCLabelDecode"}}, None),
    ],
)
def test_global_has_the_last_word(config: dict[str, Any], named: tuple[str, str] | None) -> None:
    assert named_dictionary(config) == named


def test_a_relative_path_starts_in_the_checkout_and_then_at_the_yml(tmp_path: Path) -> None:
    config = {"Global": {"character_dict_path": "dicts/a.txt"}}
    root, folder = tmp_path / "checkout", tmp_path / "configs"
    for place in (folder, root):
        (place / "dicts").mkdir(parents=True)
        (place / "dicts" / "a.txt").write_text("a\n")
        assert find_dictionary(config, folder / "rec.yml", root) == place / "dicts" / "a.txt"
    assert find_dictionary(config, folder / "rec.yml", None) == folder / "dicts" / "a.txt"
    assert find_dictionary({}, folder / "rec.yml", root) is None


def test_a_dictionary_that_is_not_there_is_named_with_all_that_was_tried(tmp_path: Path) -> None:
    config, path = {"Global": {"character_dict_path": "a.txt"}}, tmp_path / "rec.yml"
    message = (
        rf"no dictionary at {tmp_path}/root/a\.txt or {tmp_path}/a\.txt, or below a folder above, which .*rec\.yml"
    )
    with pytest.raises(ModelError, match=message):
        find_dictionary(config, path, tmp_path / "root")
    config["Global"]["character_dict_path"] = "/gone/a.txt"
    with pytest.raises(
        ModelError, match=r"no dictionary at /gone/a\.txt, which .*rec\.yml \(Global\.character_dict_pa"
    ):
        find_dictionary(config, path, tmp_path / "root")


def test_the_tools_of_a_project_run_at_its_root(tmp_path: Path) -> None:
    config = {"Global": {"character_dict_path": "./configs/a.txt"}}
    yml = tmp_path / "configs" / "rec" / "my.yml"
    yml.parent.mkdir(parents=True)
    (tmp_path / "configs" / "a.txt").write_text("a\n")
    assert find_dictionary(config, yml, tmp_path / "root") == tmp_path / "configs" / "a.txt"
    (tmp_path / "root" / "configs").mkdir(parents=True)
    (tmp_path / "root" / "configs" / "a.txt").write_text("b\n")
    assert find_dictionary(config, yml, tmp_path / "root") == tmp_path / "root" / "configs" / "a.txt"


def test_line_ends_make_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\nb\n")
    found = dictionary_fingerprint(path)
    path.write_bytes(b"a\r\nb\r\n")
    assert dictionary_fingerprint(path) == found != {}
    path.write_bytes(b"b\na\n")
    assert dictionary_fingerprint(path) != found
    assert dictionary_fingerprint(None) == {}


def test_order_and_surrogates_count_in_a_digest() -> None:
    assert dictionary_digest("ab") == dictionary_digest(["a", "b"]) != dictionary_digest("ba")
    assert dictionary_digest(["ab"]) != dictionary_digest("ab")
    assert len(dictionary_digest(["\ud800"])) == 16


@pytest.mark.parametrize("entries", [None, [], ["a", "", " ", "ab"]])
def test_texts_are_entries(entries: list[str] | None) -> None:
    check_export_dictionary({"character_dict": entries}, Path("inference.yml"))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("abc", r"character_dict is a str, not a list of characters: export again"),
        (["a", 7], r"entry 2 of PostProcess\.character_dict is 7, a int, and paddlex stops where that is read"),
        ([False], r"entry 1 of .* is False, a bool, "),
        (["a", "b", None], r"entry 3 of .* is nothing, "),
    ],
)
def test_what_is_no_text_is_no_entry(entries: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_export_dictionary({"character_dict": entries}, Path("inference.yml"))


def test_a_misfit_names_both_numbers() -> None:
    assert dictionary_misfit("the dictionary a.txt", 95, "best.pdparams", 6625) == (
        "the dictionary a.txt has 95 entries, and best.pdparams has 6625 classes with the blank, for 6624 entries, or "
        "6623 and the space that use_space_char appends"
    )
    assert "a.txt has 1 entry, and" in dictionary_misfit("a.txt", 1, "b", 9)
