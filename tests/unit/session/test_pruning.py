"""What one run shows about the project's tests, counted from reports as pytest and its plugins send them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from pytest_ocrparity.report.document import Asked, Record, Used
from pytest_ocrparity.session.outcomes import Outcomes
from pytest_ocrparity.session.pruning import SAID, Evidence

PASSED = ("setup", "passed"), ("call", "passed"), ("teardown", "passed")
ASKED = Asked(path="goldens/a.npz")
TOOK = Used(fixture="ocr_golden")


def item(nodeid: str, *fixtures: str, **more: Any) -> Any:
    return SimpleNamespace(nodeid=nodeid, fixturenames=fixtures, **more)


def session(root: Path, *items: Any, workers: bool = False, dist: str = "load", **option: Any) -> Any:
    """Return a session of a whole green run."""
    config = SimpleNamespace(
        option=SimpleNamespace(**option),
        args_source=SimpleNamespace(name="ARGS"),
        args=[str(root)],
        invocation_params=SimpleNamespace(dir=root),
        rootpath=root,
        pluginmanager=SimpleNamespace(hasplugin=lambda name: workers),
        getini=lambda name: {"python_files": ["test_*.py"], "norecursedirs": [".*", "build"], "addopts": ["-pno:old"]}[
            name
        ],
        getoption=lambda name, default: dist,
    )
    state = {"exitstatus": 0, "testsfailed": 0, "shouldstop": False, "shouldfail": False}
    return SimpleNamespace(config=config, items=list(items), **state)


def collected(*items: Any) -> Evidence:
    evidence = Evidence(["ocr_golden", "ocr_image"])
    for each in items:
        evidence.pytest_itemcollected(each)
    return evidence


def tell(
    evidence: Evidence,
    test: str,
    phases: Sequence[tuple[str, str]] = PASSED,
    records: Sequence[Record] = (ASKED,),
    **more: Any,
) -> None:
    """Let evidence hear of a test's reports, as a run does."""
    outcomes = HEARD.setdefault(evidence, Outcomes())
    for when, outcome in phases:
        flags = {"failed": outcome == "failed", "skipped": outcome == "skipped", "longrepr": outcome}
        place = {"nodeid": test, "location": ("test_a.py", 1, test)}
        left = records if when == "teardown" else ()
        evidence.take(left)
        flaw = outcomes.hear(SimpleNamespace(when=when, outcome=outcome, **flags, **place, **more))
        if flaw is not None:
            evidence.hear(test, flaw, left)


HEARD: WeakKeyDictionary[Evidence, Outcomes] = WeakKeyDictionary()
ONE = item("test_a.py::test_one", "ocr_golden")
TWO = item("test_a.py::test_two", "ocr_image")


def test_all_that_passed_prove_all(tmp_path: Path) -> None:
    evidence = collected(ONE, TWO)
    for each in (ONE, TWO):
        tell(evidence, each.nodeid)
    assert evidence.missing(session(tmp_path, ONE, TWO), tmp_path) == ""
    assert evidence.asked == {Path("goldens/a.npz")}


@pytest.mark.parametrize(
    ("phases", "why"),
    [
        ((), "did not run"),
        (PASSED[:1], "did not run"),
        (PASSED[:2], "did not run"),
        (PASSED[::2], "did not run"),
        ((("setup", "skipped"), PASSED[2]), "was skipped"),
        ((*PASSED[:2], ("call", "skipped"), PASSED[2]), "was skipped"),  # a subtest
        ((PASSED[0], ("call", "rerun"), PASSED[2]), "did not run"),  # to its end: never again
    ],
)
def test_one_that_did_not_pass_is_named(tmp_path: Path, phases: Sequence[tuple[str, str]], why: str) -> None:
    evidence = collected(ONE, TWO)
    tell(evidence, ONE.nodeid)
    tell(evidence, TWO.nodeid, phases)
    assert evidence.missing(session(tmp_path, ONE, TWO), tmp_path) == f"{TWO.nodeid} {why}"


def test_an_expected_failure_that_passes_is_none(tmp_path: Path) -> None:
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid, PASSED[:1])
    tell(evidence, ONE.nodeid, PASSED[1:2], wasxfail="later")
    tell(evidence, ONE.nodeid, PASSED[2:])
    assert evidence.missing(session(tmp_path), tmp_path) == f"{ONE.nodeid} is marked or called xfail"


@pytest.mark.parametrize("teardown", [(), PASSED[2:]])
def test_a_last_attempt_that_passed_counts(tmp_path: Path, teardown: Sequence[tuple[str, str]]) -> None:
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid, (PASSED[0], ("call", "rerun"), *teardown))
    tell(evidence, ONE.nodeid)
    assert evidence.missing(session(tmp_path), tmp_path) == ""


def test_what_only_a_first_attempt_asked_for_was_asked_for(tmp_path: Path) -> None:
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid, (PASSED[0], ("call", "rerun"), PASSED[2]), [Asked(path="goldens/first.npz")])
    tell(evidence, ONE.nodeid)
    assert evidence.asked == {Path("goldens/a.npz"), Path("goldens/first.npz")}


def test_a_test_that_is_there_twice_must_pass_twice(tmp_path: Path) -> None:
    for items, kept in (((ONE, ONE), [ONE, ONE]), ((ONE,), [ONE, ONE])):  # --keep-duplicates; items * 2
        evidence = collected(*items)
        tell(evidence, ONE.nodeid)
        assert evidence.missing(session(tmp_path, *kept), tmp_path) == f"{ONE.nodeid} did not run"
        tell(evidence, ONE.nodeid)
        assert evidence.missing(session(tmp_path, *kept), tmp_path) == ""


def test_an_id_may_change_after_collecting(tmp_path: Path) -> None:
    renamed = item("test_a.py::test_one", "ocr_golden")
    evidence = collected(renamed)
    renamed.nodeid += "@group"  # as --dist=loadgroup does
    tell(evidence, "test_a.py::test_one@group")
    assert evidence.missing(session(tmp_path, renamed), tmp_path) == ""


def test_a_test_that_took_the_fixture_and_asked_nothing_proves_nothing(tmp_path: Path) -> None:
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid, records=[TOOK])
    assert "took ocr_golden and asked it for nothing here" in evidence.missing(session(tmp_path), tmp_path)
    tell(evidence, ONE.nodeid, records=[TOOK, ASKED])
    assert evidence.missing(session(tmp_path), tmp_path) == ""


def test_a_test_may_get_fixtures_while_it_runs(tmp_path: Path) -> None:
    def info(**definitions: Any) -> Any:
        found = {name: [SimpleNamespace(argnames=("request",), func=func)] for name, func in definitions.items()}
        return SimpleNamespace(argnames=(), name2fixturedefs=found)

    def of_pytest() -> None: ...

    of_pytest.__module__ = "_pytest.tmpdir"
    by_pytest = item("t::pytest", "tmp_path", "request", _fixtureinfo=info(tmp_path=of_pytest))
    by_user = item("t::user", "mine", "request", _fixtureinfo=info(mine=lambda request: None))
    unknown = item("t::unknown", "request")
    doctest = item("t::doctest", dtest=None)
    plain = item("t::plain", "capsys")
    other = SimpleNamespace(nodeid="t::style")  # a linter's
    for each, counts in (
        (by_pytest, False),
        (by_user, True),
        (unknown, True),
        (doctest, True),
        (plain, False),
        (other, False),
    ):
        evidence = collected(ONE, each)
        tell(evidence, ONE.nodeid)
        assert evidence.missing(session(tmp_path), tmp_path) == (f"{each.nodeid} did not run" if counts else "")


def test_where_nothing_was_counted_nothing_is_proved(tmp_path: Path) -> None:
    assert collected().missing(session(tmp_path), tmp_path) == "no test of it was counted"


# Workers


def worker(*items: Any) -> Any:
    """Return the node of a worker that collected these, as it is at its end."""
    output: dict[str, Any] = {}
    evidence = collected(*items)
    evidence.pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace(workeroutput=output), items=items))
    return SimpleNamespace(workeroutput=output)


def test_workers_share_the_tests(tmp_path: Path) -> None:
    evidence = collected()
    for _ in range(2):
        evidence.hear_worker(worker(ONE, TWO))
    tell(evidence, ONE.nodeid, worker_id="gw0")
    assert evidence.missing(session(tmp_path, workers=True), tmp_path) == f"{TWO.nodeid} did not run"
    tell(evidence, TWO.nodeid, worker_id="gw1")
    assert evidence.missing(session(tmp_path, workers=True), tmp_path) == ""


def test_each_worker_runs_all_under_each(tmp_path: Path) -> None:
    evidence = collected()
    for _ in range(2):
        evidence.hear_worker(worker(ONE))
    tell(evidence, ONE.nodeid, worker_id="gw0")
    whole = session(tmp_path, workers=True, dist="each")
    assert evidence.missing(whole, tmp_path) == f"{ONE.nodeid} did not run"
    tell(evidence, ONE.nodeid, worker_id="gw1")
    assert evidence.missing(whole, tmp_path) == ""


def test_reports_of_two_workers_do_not_mix(tmp_path: Path) -> None:
    evidence = collected()
    evidence.hear_worker(worker(ONE))
    tell(evidence, ONE.nodeid, (PASSED[0],), worker_id="gw0")
    tell(evidence, ONE.nodeid, PASSED[1:], worker_id="gw1")
    assert evidence.missing(session(tmp_path, workers=True), tmp_path) == f"{ONE.nodeid} did not run"


@pytest.mark.parametrize("dead", [SimpleNamespace(), SimpleNamespace(workeroutput={"exitstatus": 0})])
def test_a_worker_that_said_nothing_proves_nothing(tmp_path: Path, dead: Any) -> None:
    evidence = collected()
    whole = session(tmp_path, workers=True)
    assert evidence.missing(whole, tmp_path) == "a worker of this run did not say what it collected"
    evidence.hear_worker(worker(ONE))
    tell(evidence, ONE.nodeid)
    assert evidence.missing(whole, tmp_path) == ""
    evidence.hear_worker(dead)
    assert evidence.missing(whole, tmp_path) == "a worker of this run did not say what it collected"


def test_what_a_worker_says_travels() -> None:
    execnet = pytest.importorskip("execnet")
    said = worker(ONE, TWO, ONE).workeroutput[SAID]
    assert execnet.loads(execnet.dumps(said)) == said


# Files


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("tests/test_b.py", "tests/test_b.py was not collected"),
        ("test_b.py", "test_b.py was not collected"),
        ("tests/b_test.py", ""),
        ("tests/test_b.txt", ""),
        ("build/test_b.py", ""),
        (".nox/test_b.py", ""),
        ("tests/__pycache__/test_b.py", ""),
        ("env/lib/test_b.py", ""),
    ],
)
def test_a_file_of_which_nothing_was_collected(tmp_path: Path, path: str, why: str) -> None:
    for name in (path, "env/pyvenv.cfg", "tests/test_a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    evidence = collected(ONE)
    evidence.pytest_collectreport(SimpleNamespace(nodeid="tests/test_a.py", outcome="passed"))
    tell(evidence, ONE.nodeid)
    told = evidence.missing(session(tmp_path), tmp_path)
    assert told.startswith(why)
    assert bool(told) == bool(why)


def test_a_pattern_may_name_a_folder(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "all.py").touch()
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid)
    whole = session(tmp_path)
    assert evidence.missing(whole, tmp_path) == ""
    whole.config.getini = lambda name: ["checks/*.py"] if name == "python_files" else []
    assert evidence.missing(whole, tmp_path).startswith("checks/all.py was not collected")
    evidence.pytest_collectreport(SimpleNamespace(nodeid="checks/all.py", outcome="passed"))
    assert evidence.missing(whole, tmp_path) == ""


def test_a_link_to_the_project_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    evidence = collected(ONE)
    tell(evidence, ONE.nodeid)
    assert evidence.missing(session(tmp_path / "link"), tmp_path / "project") == ""
    assert evidence.missing(session(tmp_path / "project"), tmp_path / "link") == ""
    assert "part of the project" in evidence.missing(session(tmp_path / "project" / "x"), tmp_path / "link")


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"plugins": ["no:xdist", "no:randomly", "no:cacheprovider", "mine"]}, ""),
        ({"plugins": ["no:old"]}, ""),
        ({"plugins": ["no:xdist", "no:doctest"]}, "-p no:doctest leaves out a plugin, which may bring tests"),
        ({"disable_plugin_autoload": True}, "--disable-plugin-autoload or PYTEST_DISABLE_PLUGIN_AUTOLOAD leaves out"),
        ({"confcutdir": "below"}, "--confcutdir leaves out what conftest.py says of the tests"),
    ],
    ids=["of no test", "the project's", "doctest", "all", "conftest"],
)
def test_what_a_call_leaves_out_may_bring_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: dict[str, Any], why: str
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    (tmp_path / "test_a.py").touch()
    test = item("test_a.py::test_a", "ocr_golden")
    evidence = collected(test)
    evidence.pytest_collectreport(SimpleNamespace(nodeid="test_a.py", outcome="passed"))
    tell(evidence, test.nodeid)
    assert evidence.missing(session(tmp_path, test, **option), tmp_path).startswith(why)
    assert bool(evidence.missing(session(tmp_path, test, **option), tmp_path)) is bool(why)
