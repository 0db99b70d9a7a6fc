"""Run a module's tests on its mutants, each in a process of its own that is forked when everything is loaded.

A change within a function is put into the loaded function, and only the tests run that enter it, those first that
noticed other changes. A change that acts at import is loaded in place of the module by a new pytest.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NoReturn

import pytest

from mutation.mutants import Module, Mutant

KILLED, SURVIVED = "killed", "survived"
SLOW = 0.25
"""Seconds of processor time: what takes longer is no fast unit test, and doesn't run on mutants."""
CPU_SECONDS, MEMORY = 20, 6 << 30
"""What a mutant may take: one that never ends is killed."""


def run(module: Module, mutants: Sequence[Mutant], tests: Sequence[str]) -> Iterator[tuple[Mutant, str]]:
    """Yield what became of each mutant."""
    inside = [each for each in mutants if each.function is not None]
    yield from _in_loaded_functions(module, inside, tests)
    for mutant in mutants:
        if mutant.function is None:
            yield mutant, _at_import(module, mutant, tests)


def _in_loaded_functions(module: Module, mutants: Sequence[Mutant], tests: Sequence[str]) -> Iterator[tuple[Mutant, str]]:
    if not mutants:
        return
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _silence()
        with os.fdopen(write, "wb") as pipe:
            plugin = Trials(module, mutants, lambda *result: (pickle.dump(result, pipe), pipe.flush()))
            code = _pytest(tests, plugin)
        os._exit(0 if plugin.is_done else code or 1)
    os.close(write)
    by_key = {(each.operator, each.occurrence): each for each in mutants}
    with os.fdopen(read, "rb") as pipe:
        for _ in mutants:
            try:
                key, outcome = pickle.load(pipe)
            except EOFError:
                break
            yield by_key[key], outcome
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{module.path}: the tests do not run, or fail without any change")


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def _pytest(tests: Sequence[str], plugin: object) -> int:
    folder = tempfile.mkdtemp(prefix="mutation-")
    try:
        options = ["-q", "-Wignore::pytest.PytestAssertRewriteWarning", "-p", "no:cacheprovider", f"--basetemp={folder}/pytest"]
        return int(pytest.main([*options, *tests], [plugin, Settled()]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Settled:
    """Makes hypothesis draw the same for each mutant."""

    def pytest_configure(self) -> None:
        """Load a profile without chance, files and deadlines."""
        from hypothesis import HealthCheck, settings

        health = list(HealthCheck)
        settings.register_profile("mutation", derandomize=True, database=None, deadline=None, suppress_health_check=health)
        settings.load_profile("mutation")


class FirstFailure:
    """Ends the process at the first test that fails, before pytest writes a word of it."""

    def __init__(self, hear: Callable[[str], object]) -> None:
        self.hear = hear

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """End it."""
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.hear(item.nodeid)
            os._exit(1)


class Trials:
    """Takes a run over once its tests are collected."""

    def __init__(self, module: Module, mutants: Sequence[Mutant], tell: Callable[[tuple[str, int], str], object]) -> None:
        self.module, self.mutants, self.tell, self.is_done = module, mutants, tell, False
        self.kills: Counter[str] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests once as they are, and those that enter a function on its mutants."""
        if session.testsfailed or not session.items:
            return True
        self.base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        entered = self._entered(session.items)
        if entered is None:
            return True
        functions = _loaded_functions(self.module.path)
        for mutant in self.mutants:
            names = [name for name, (seen, _) in entered.items() if mutant.function in seen]
            names.sort(key=lambda name: (-self.kills[name], entered[name][1]))
            outcome = self._outcome(mutant, [item for name in names for item in session.items if item.nodeid == name], functions)
            self.tell((mutant.operator, mutant.occurrence), outcome)
        self.is_done = True
        return True

    def _entered(self, items: Sequence[pytest.Item]) -> dict[str, tuple[set[str], float]] | None:
        """Return which of the module's functions each fast test enters, and its time; None where one fails."""

        def run_all(hear: Callable[[Any], object]) -> NoReturn:
            path, found = str(self.module.path), {}
            seen: set[str] = set()

            def profile(frame: FrameType, event: str, argument: object) -> None:
                if event == "call" and frame.f_code.co_filename == path:
                    seen.add(frame.f_code.co_qualname)

            for item in items:
                seen.clear()
                sys.setprofile(profile)
                start = time.process_time()
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
                sys.setprofile(None)
                if (spent := time.process_time() - start) < SLOW:
                    found[item.nodeid] = ({name.partition(".<locals>")[0] for name in seen}, spent)
            hear(found)
            os._exit(0)

        status, told = _in_child(run_all, items[0].config, self.base, limit=None)
        if status:
            print(f"{self.module.path}: {told} fails without any change", file=sys.stderr)
        return None if status else told

    def _outcome(self, mutant: Mutant, items: Sequence[pytest.Item], functions: dict[tuple[str, int], list[FunctionType]]) -> str:
        def run_mutant(hear: Callable[[Any], object]) -> NoReturn:
            _put_into(functions, self.module.mutate(mutant), str(self.module.path), mutant)
            for item in items:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            os._exit(0)

        if not items:
            return SURVIVED
        status, killer = _in_child(run_mutant, items[0].config, self.base)
        self.kills[killer] += 1
        return KILLED if status else SURVIVED


def _in_child(
    work: Callable[[Callable[[Any], object]], NoReturn], config: pytest.Config, base: Path, limit: int | None = CPU_SECONDS
) -> tuple[int, Any]:
    """Return a child's status, and what it said."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with os.fdopen(write, "wb") as pipe:
                hear = lambda said: (pickle.dump(said, pipe), pipe.flush())  # noqa: E731
                config.pluginmanager.register(FirstFailure(hear))
                if limit is not None:
                    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
                    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                    signal.alarm(6 * limit)
                work(hear)
        finally:
            os._exit(3)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        raw = pipe.read()
    status = os.waitpid(pid, 0)[1]
    for left in base.iterdir():
        shutil.rmtree(left, ignore_errors=True)
    return status, pickle.loads(raw) if raw else None


def _loaded_functions(path: Path) -> dict[tuple[str, int], list[FunctionType]]:
    found: dict[tuple[str, int], list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename == str(path):
            found.setdefault((each.__code__.co_qualname, each.__code__.co_firstlineno), []).append(each)
    return found


def _put_into(functions: dict[tuple[str, int], list[FunctionType]], source: str, path: str, mutant: Mutant) -> None:
    stack = [compile(source, path, "exec", dont_inherit=True)]
    while stack:
        code = stack.pop()
        stack += [each for each in code.co_consts if isinstance(each, CodeType)]
        if code.co_qualname == mutant.function:
            for function in functions[code.co_qualname, code.co_firstlineno]:
                function.__code__ = code


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from a source of ours."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is None or spec.origin != str(self.path):
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:
        return self.source.encode()


def _at_import(module: Module, mutant: Mutant, tests: Sequence[str]) -> str:
    pid = os.fork()
    if not pid:
        try:
            source = module.mutate(mutant)
            resource.setrlimit(resource.RLIMIT_CPU, (3 * CPU_SECONDS, 3 * CPU_SECONDS))
            sys.meta_path.insert(0, _Loader(module.path, source))
            _silence()
            code = _pytest(["-x", *tests], FirstFailure(lambda name: None))
            os._exit(min(code, 1))
        finally:
            os._exit(3)
    return KILLED if os.waitpid(pid, 0)[1] else SURVIVED
