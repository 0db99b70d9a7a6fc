"""What a release is made of: one version, a changelog in its form, a citation, a workflow that publishes by hand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:  # Python 3.10
    import tomli as tomllib

CHANGES = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
HEADING = re.compile(r"Unreleased|\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}")


def mistakes_of_changelog(text: str) -> list[str]:
    """Return what does not keep the form: versions from the newest, each with a date, and six sorts of changes."""
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    sorts = re.findall(r"^### (.*)$", text, re.MULTILINE)
    wrong = [f"version {each}" for each in versions if not HEADING.fullmatch(each)]
    wrong += [f"sort {each}" for each in sorts if each not in CHANGES]
    numbers = [tuple(map(int, each.split(" ")[0].split("."))) for each in versions if each[0].isdigit()]
    return wrong + ["order"] * (numbers != sorted(numbers, reverse=True) or "Unreleased" in versions[1:])


def test_the_changelog_keeps_its_form() -> None:
    assert mistakes_of_changelog((ROOT / "CHANGELOG.md").read_text()) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("## 0.2\n", ["version 0.2"]),
        ("## Unreleased\n### New\n", ["sort New"]),
        ("## 0.1.0 - 2026-01-01\n## 0.2.0 - 2026-02-01\n", ["order"]),
        ("## 0.1.0 - 2026-01-01\n## Unreleased\n", ["order"]),
    ],
)
def test_another_form_is_told(text: str, wrong: list[str]) -> None:
    assert mistakes_of_changelog(text) == wrong


def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return content


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= citation.keys()
    about = {"title": citation["title"], "version": citation["version"], "license": citation["license"]}
    assert about == {"title": project()["name"], "version": project()["version"], "license": project()["license"]}


def test_types_and_schema_are_in_the_package() -> None:
    package = Path(ROOT / "pytest_ocrparity")
    assert (package / "py.typed").is_file()
    assert (package / "results.schema.json").is_file()
    assert "Typing :: Typed" in project()["classifiers"]


def test_only_a_person_publishes_and_only_a_tag() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    condition = jobs["publish"]["if"]
    for part in ("workflow_dispatch", "inputs.publish", "refs/tags/v"):
        assert part in condition
    steps = [step.get("run", "") for step in jobs["build"]["steps"]]
    assert any("nox -s dist" in step for step in steps)
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()
