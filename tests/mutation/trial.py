"""Run the fast unit tests on mutants, each in a process of its own that is forked when everything is loaded.

A change within a function is put into the loaded function, and only the tests run that enter it: those first that
noticed other changes of its module, then its mirror's. A change that acts at import is loaded in place of the module by
a new pytest.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import IO, Any, NoReturn

import pytest

from mutation.mutants import Module, Mutant

SLOW = 1.0
"""Seconds of processor time: what takes longer is no fast unit test, and doesn't run on mutants."""
MOST_PARAMETERS = 20
MOST_SECONDS = 10.0
"""What all tests on a mutant may take together, by their time without it."""
CPU_SECONDS, MEMORY = 20, 6 << 30
"""What a mutant may take: one that never ends is ended. In processor time, as on a busy machine any takes long."""
IDLE_SECONDS, LEAST_WORK = 30, 0.1
"""A mutant that works for less in as many seconds, twice, waits for what never comes; once, it may have been stopped
from outside."""
NOTICED, ENDLESS, ALIVE, NO_CODE = "noticed", "endless", "alive", "no code"
"""What becomes of a mutant: a test fails or crashes, the tests do not end, nothing happens, or it is no Python."""
_ENDLESS_STATUS, _NO_CODE_STATUS = 4, 5
Function = tuple[str, "str | None"]
"""A file and the name of a function in it."""


def run(
    modules: Mapping[str, Module],
    mutants: Sequence[Mutant],
    tests: Sequence[str],
    mirrors: Mapping[str, list[str]],
    jobs: int,
) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant, and what became of it.

    `tests` run on changes within functions; `mirrors` are, by module, those that run on changes that act at import.
    """
    inside = [each for each in mutants if each.function is not None]
    outside = [each for each in mutants if each.function is None]
    yield from _heard(inside, lambda pipe: _try_inside(modules, inside, tests, mirrors, jobs, pipe))
    # From this process, in which nothing of the package is loaded.
    yield from _heard(outside, lambda pipe: _try_outside(modules, outside, mirrors, jobs, pipe))


def _heard(mutants: Sequence[Mutant], work: Callable[[IO[bytes]], bool]) -> Iterator[tuple[Mutant, str]]:
    """Yield what a child writes while it works."""
    if not mutants:
        return
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            is_done = work(pipe)
        os._exit(0 if is_done else 1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        for _ in mutants:
            try:
                yield pickle.load(pipe)
            except EOFError:
                break
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("the tests do not run, or fail without any change")


def _try_inside(
    modules: Mapping[str, Module],
    mutants: Sequence[Mutant],
    tests: Sequence[str],
    mirrors: Mapping[str, list[str]],
    jobs: int,
    pipe: IO[bytes],
) -> bool:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    trials = Trials(modules, mutants, mirrors, jobs, pipe)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        _pytest(folder, tests, trials)
    return trials.is_done


def _try_outside(
    modules: Mapping[str, Module],
    mutants: Sequence[Mutant],
    mirrors: Mapping[str, list[str]],
    jobs: int,
    pipe: IO[bytes],
) -> bool:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def become_of(mutant: Mutant) -> str:
        return _become_of_at_import(modules[mutant.module], mutant, mirrors[mutant.module])

    _in_parallel(mutants, jobs, become_of, pipe)
    return True


def _in_parallel(mutants: Sequence[Mutant], jobs: int, try_one: Callable[[Mutant], str], pipe: IO[bytes]) -> None:
    """Try mutants in some processes, and write what became of each: a pipe takes as short a result whole."""
    born = []
    for job in range(jobs):
        pid = os.fork()
        if not pid:
            try:
                for mutant in mutants[job::jobs]:
                    os.write(pipe.fileno(), pickle.dumps((mutant, try_one(mutant))))
                os._exit(0)
            finally:
                os._exit(3)
        born.append(pid)
    for pid in born:
        if os.waitpid(pid, 0)[1]:
            os._exit(1)


def _pytest(folder: str, tests: Sequence[str], *plugins: object) -> int:
    # Plain asserts: where the package is installed, pytest rewrites it as a plugin's, past a loader of ours.
    quiet = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return int(pytest.main([*quiet, f"--basetemp={folder}/pytest", *tests], [*plugins, Settled()]))


class Settled:
    """Makes hypothesis draw the same for each mutant."""

    def pytest_configure(self) -> None:
        """Load a profile without chance, files and deadlines."""
        from hypothesis import HealthCheck, settings

        health = list(HealthCheck)
        settings.register_profile(
            "mutation", derandomize=True, database=None, deadline=None, suppress_health_check=health
        )
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


def _some_of_each(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, but of one with many parameters not all, evenly drawn."""
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        of_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return [item for each in of_test.values() for item in each[:: max(1, len(each) // MOST_PARAMETERS)]]


class Trials:
    """Takes a run over once its tests are collected."""

    def __init__(
        self,
        modules: Mapping[str, Module],
        mutants: Sequence[Mutant],
        mirrors: Mapping[str, list[str]],
        jobs: int,
        pipe: IO[bytes],
    ) -> None:
        self.modules, self.mutants, self.mirrors, self.jobs, self.pipe = modules, mutants, mirrors, jobs, pipe
        self.is_done = False
        self.kills: dict[str, Counter[str]] = {name: Counter() for name in modules}
        self.entered: dict[str, tuple[set[Function], float]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests once as they are, and those that enter a function on its mutants."""
        self.items = {item.nodeid: item for item in _some_of_each(session.items)}
        self.base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        names = list(self.items)
        for part in [names[job :: self.jobs] for job in range(self.jobs)] if not session.testsfailed else []:
            status, said = _in_child(partial(self._run_as_it_is, part), session.config, self.base, 600)
            if status:
                print(f"fails without any change: {said}", file=sys.stderr)
                return True
            self.entered.update(said)
        self.functions = _loaded_functions({str(module.path) for module in self.modules.values()})
        gc.collect()
        gc.freeze()  # so that no child copies all pages by looking for garbage
        _in_parallel(self.mutants, self.jobs, self._become_of, self.pipe)
        self.is_done = bool(self.entered)
        return True

    def _run_as_it_is(self, names: Sequence[str], hear: Callable[[Any], object]) -> NoReturn:
        """Tell which functions each test enters and its time, but of those that are slow."""
        paths, found = {str(module.path) for module in self.modules.values()}, {}
        seen: set[Function] = set()

        def profile(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and (code := frame.f_code).co_filename in paths:
                seen.add((code.co_filename, code.co_qualname.partition(".<locals>")[0]))

        for name in names:
            seen.clear()
            start, item = time.process_time(), self.items[name]
            sys.setprofile(profile)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            sys.setprofile(None)
            if (spent := time.process_time() - start) < SLOW:
                found[name] = set(seen), spent
        hear(found)
        os._exit(0)

    def _become_of(self, mutant: Mutant) -> str:
        module, kills = self.modules[mutant.module], self.kills[mutant.module]
        function = str(module.path), mutant.function
        found = [
            (-kills[name], not name.startswith(tuple(self.mirrors[mutant.module])), spent, name)
            for name, (seen, spent) in self.entered.items()
            if function in seen
        ]
        names, left = [], MOST_SECONDS
        for _, _, spent, name in sorted(found):
            if (left := left - spent) > 0:
                names.append(name)

        def run_mutant(hear: Callable[[Any], object]) -> NoReturn:
            _put_into(self.functions, _code(module, mutant), mutant.function)
            for name in names:
                item = self.items[name]
                item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            os._exit(0)

        if not names:
            return ALIVE
        status, killer = _in_child(run_mutant, self.items[names[0]].config, self.base)
        if killer is not None:
            kills[killer] += 1
        return _outcome(status)


def _outcome(status: int) -> str:
    """Return what became of a mutant whose process ended so; what the runner or the system ended is not noticed."""
    ended = os.waitstatus_to_exitcode(status)
    if ended in (_ENDLESS_STATUS, -signal.SIGXCPU):
        return ENDLESS
    if ended == _NO_CODE_STATUS:
        return NO_CODE
    return NOTICED if ended in (1, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE) else ALIVE


def _limit_this_process(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seen = [0.0]  # how long it had worked each time

    def end_what_waits(number: int, frame: FrameType | None) -> None:
        seen.append(sum(os.times()[:4]))
        if len(seen) > 2 and seen[-1] - seen[-3] < LEAST_WORK:
            os._exit(_ENDLESS_STATUS)

    signal.signal(signal.SIGALRM, end_what_waits)
    signal.setitimer(signal.ITIMER_REAL, IDLE_SECONDS, IDLE_SECONDS)


def _in_child(
    work: Callable[[Callable[[Any], object]], NoReturn], config: pytest.Config, base: Path, limit: int = CPU_SECONDS
) -> tuple[int, Any]:
    """Return a child's status, and what it said."""
    folder = tempfile.mkdtemp(dir=base)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with os.fdopen(write, "wb") as told:

                def hear(said: object) -> None:
                    pickle.dump(said, told)
                    told.flush()

                config._tmp_path_factory._basetemp = Path(folder)  # type: ignore[attr-defined]
                config.pluginmanager.register(FirstFailure(hear))
                _limit_this_process(limit)
                work(hear)
        finally:
            os._exit(3)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        raw = pipe.read()
    status = os.waitpid(pid, 0)[1]
    shutil.rmtree(folder, ignore_errors=True)
    return status, pickle.loads(raw) if raw else None


def _loaded_functions(paths: set[str]) -> dict[tuple[str, str, int], list[FunctionType]]:
    found: dict[tuple[str, str, int], list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and (code := each.__code__).co_filename in paths:
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(each)
    return found


def _code(module: Module, mutant: Mutant) -> CodeType:
    """Return the changed module, or end this process where it is no Python: `*` for the `**` of a dictionary."""
    try:
        return compile(module.mutate(mutant), str(module.path), "exec", dont_inherit=True)
    except SyntaxError:
        os._exit(_NO_CODE_STATUS)


def _put_into(functions: dict[tuple[str, str, int], list[FunctionType]], changed: CodeType, name: str | None) -> None:
    stack = [changed]
    while stack:
        code = stack.pop()
        stack += [each for each in code.co_consts if isinstance(each, CodeType)]
        if code.co_qualname == name:
            for function in functions[code.co_filename, code.co_qualname, code.co_firstlineno]:
                function.__code__ = code


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads one module from code of ours."""

    def __init__(self, path: Path, code: CodeType) -> None:
        self.path, self.code = path, code

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        if spec is None or spec.origin != str(self.path):
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return self.code

    def get_source(self, fullname: str) -> str:
        return self.path.read_text(encoding="utf-8")


def _become_of_at_import(module: Module, mutant: Mutant, tests: Sequence[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:  # the child ends without a word
        pid = os.fork()
        if not pid:
            try:
                _limit_this_process(3 * CPU_SECONDS)
                sys.meta_path.insert(0, _Loader(module.path, _code(module, mutant)))
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                os._exit(_pytest(folder, ["-x", *tests], FirstFailure(lambda name: None)) and 1)
            finally:
                os._exit(3)
        return _outcome(os.waitpid(pid, 0)[1])
