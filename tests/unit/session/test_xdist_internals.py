"""What is used of xdist's internals: that this version has it, and that the scheduler is xdist's own but for images."""

from __future__ import annotations

import inspect
import itertools
import random
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.dsession import DSession
from xdist.remote import Producer, WorkerInteractor
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from pytest_ocrparity.session.run import RUN
from pytest_ocrparity.session.xdist_internals import ImageScheduling, hear_xdist_lines, send_xdist_line

# This version of xdist


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            LoadScheduling,
            ["add_node_collection", "collection_is_completed", "_send_tests", "schedule", "check_schedule"],
        ),
        (DSession, ["loop_once"]),
        (WorkerController, ["process_from_remote"]),
        (WorkerInteractor, ["sendevent"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_this_version_has_what_is_used(owner: type, names: list[str]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


def test_this_version_sends_workers_their_tests_in_one_place() -> None:
    """Tests that were sent past `_send_tests` would be sent without the others of their image."""
    sending = [name for name, method in vars(LoadScheduling).items() if "send_runtest_some" in source(method)]
    assert sending == ["_send_tests"]
    assert list(inspect.signature(LoadScheduling._send_tests).parameters) == ["self", "node", "num"]


def test_this_version_takes_events_only_after_the_hook_that_wraps_their_way() -> None:
    setup = source(WorkerController.setup)
    order = [setup.index(text) for text in ("pytest_configure_node", "self.channel = ", "self.process_from_remote")]
    assert order == sorted(order)
    assert setup.index("pytest_configure_node") < setup.index("self.workerinput")  # which is sent after the hook


def test_this_version_calls_an_attribute_per_event() -> None:
    assert '"worker_" + callname' in source(DSession.loop_once)
    assert "queue" in source(DSession.loop_once)


def source(method: Any) -> str:
    return inspect.getsource(method) if inspect.isfunction(method) else ""


# The scheduler


class Worker:
    """What a scheduler sees of a worker; whole runs with killed ones are in integration/test_durability.py."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.sent: list[int] = []
        self.all_sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices
        self.all_sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.fixture
def make(project: pytest.Pytester) -> Any:
    """Return a function that makes the project's scheduler, or xdist's own, for a number of workers."""

    configs: dict[Any, pytest.Config] = {}

    def made(workers: int = 2, *args: str, is_ours: bool = True) -> Any:
        if (workers, args) not in configs:
            configs[workers, args] = project.parseconfigure("--dist=load", f"--tx={workers}*popen", *args)
        config = configs[workers, args]
        log = Producer("scheduler", enabled=False)
        if is_ours:
            return config.stash[RUN].pytest_xdist_make_scheduler(config, log)
        return LoadScheduling(config, log)

    return made


def begin(scheduler: Any, tests: list[str], count: int = 2) -> list[Worker]:
    workers = [Worker(f"gw{number}") for number in range(count)]
    for worker in workers:
        scheduler.add_node(worker)
    for worker in workers:
        scheduler.add_node_collection(worker, list(tests))
    scheduler.schedule()
    return workers


def go_on(scheduler: Any, workers: list[Worker], seed: int = 0, crashes: int = 0) -> Counter[int]:
    """Run to the end, in an order of chance; return how often each test ran. A worker that dies is replaced."""
    chance, ran = random.Random(seed), Counter[int]()
    while True:
        # A worker keeps its last test until it is told that there is no more.
        busy = [each for each in workers if len(each.sent) > 1 or (each.sent and each.shutting_down)]
        if not busy:
            if scheduler.tests_finished and any(each.sent for each in workers):
                for each in scheduler.nodes:  # as DSession does
                    each.shutdown()
                continue
            return ran
        worker = chance.choice(busy)
        test = worker.sent.pop(0)
        if crashes and chance.random() < 0.2:
            crashes -= 1
            assert scheduler.remove_node(worker) == scheduler.collection[test]  # that it died of: not run again
            workers.remove(worker)
            workers.append(Worker(f"{worker.gateway.id}+"))
            scheduler.add_node(workers[-1])
            scheduler.add_node_collection(workers[-1], list(scheduler.collection))
            scheduler.schedule()
        else:
            scheduler.mark_test_complete(worker, test, chance.choice([0, 0.2]))
        ran[test] += 1


def foreign(count: int, file: str = "other") -> list[str]:
    return [f"test_{file}_{index % 3}.py::test_{index}[{index}-images/other.npy]" for index in range(count)]


def of_images(count: int, functions: int = 3) -> list[str]:
    return [
        f"test_export.py::test_{name}[images/{image}.npy]"
        for name in range(functions)
        for image in (["one_word", "three_words"] * count)[:count]
    ]


@pytest.mark.parametrize("args", [(), ("--maxschedchunk=1",), ("--maxschedchunk=7",)], ids=" ".join)
def test_tests_of_no_image_are_sent_as_xdist_itself_sends_them(make: Any, args: tuple[str, ...]) -> None:
    for workers, count in itertools.product((1, 2, 5), (0, 1, 3, 9, 100, 1000)):
        sent = []
        for is_ours in (True, False):
            scheduler = make(workers, *args, is_ours=is_ours)
            nodes = begin(scheduler, foreign(count), workers)
            assert type(scheduler) is LoadScheduling
            go_on(scheduler, nodes, seed=count, crashes=2)
            sent.append([node.all_sent for node in nodes])
        assert sent[0] == sent[1]


def test_so_are_those_of_images_with_one_test_each(make: Any) -> None:
    scheduler = make()
    workers = begin(scheduler, [*foreign(10), *of_images(2, functions=1)])
    assert type(scheduler) is LoadScheduling
    assert sum(go_on(scheduler, workers).values()) == 12


@pytest.mark.parametrize("args", [(), ("--maxschedchunk=1",)], ids=" ".join)
def test_the_tests_of_an_image_go_to_one_worker(make: Any, args: tuple[str, ...]) -> None:
    tests = [*foreign(5), *of_images(2, functions=7), *foreign(20, "more")]
    scheduler = make(2, *args)
    workers = begin(scheduler, tests)
    assert type(scheduler) is ImageScheduling
    assert scheduler.has_pending
    assert go_on(scheduler, workers) == Counter(range(len(tests)))
    for image in ("one_word", "three_words"):
        of_image = {index for index, test in enumerate(tests) if f"images/{image}.npy" in test}
        assert [of_image <= {*worker.all_sent} for worker in workers].count(True) == 1
        assert [of_image.isdisjoint(worker.all_sent) for worker in workers].count(True) == 1


def test_the_images_are_shared_out(make: Any) -> None:
    workers = begin(make(), of_images(2, functions=2))
    assert [len(worker.all_sent) for worker in workers] == [2, 2]


def test_a_test_that_is_collected_twice_runs_twice_whoever_dies(make: Any) -> None:
    tests = [*foreign(5), *of_images(2), *foreign(7, "more")] * 2
    for seed in range(100):
        scheduler = make(3)
        workers = begin(scheduler, tests, 3)
        assert type(scheduler) is LoadScheduling
        assert go_on(scheduler, workers, seed=seed, crashes=seed % 4) == Counter(range(len(tests)))


def test_no_test_is_lost_with_a_worker_that_dies(make: Any) -> None:
    tests = [*foreign(5), *of_images(2), *foreign(7, "more")]
    for seed in range(100):
        scheduler = make(3)
        workers = begin(scheduler, tests, 3)
        assert type(scheduler) is ImageScheduling
        assert go_on(scheduler, workers, seed=seed, crashes=seed % 4) == Counter(range(len(tests)))


def test_it_goes_on_without_a_worker_that_dies_while_the_others_collect(make: Any) -> None:
    scheduler, tests = make(2), of_images(2)
    first, second, third = map(Worker, "abc")
    scheduler.add_node(first)
    scheduler.add_node(second)
    scheduler.add_node_collection(first, tests)
    assert not scheduler.collection_is_completed
    assert scheduler.remove_node(second) is None
    scheduler.add_node(third)
    scheduler.add_node_collection(third, tests)
    assert scheduler.collection_is_completed
    scheduler.schedule()
    assert go_on(scheduler, [first, third]) == Counter(range(6))


def test_a_test_that_killed_its_worker_may_be_asked_for_again(make: Any) -> None:
    """pytest-rerunfailures does so."""
    scheduler, tests = make(2), of_images(2)
    workers = begin(scheduler, tests)
    dead = workers.pop()
    died_of = scheduler.remove_node(dead)
    scheduler.mark_test_pending(died_of)
    workers.append(Worker("new"))
    scheduler.add_node(workers[-1])
    scheduler.add_node_collection(workers[-1], tests)
    scheduler.schedule()
    assert go_on(scheduler, workers) == Counter(range(6))


def test_without_images_in_the_settings_or_with_another_distribution_xdist_is_left_alone(
    project: pytest.Pytester,
) -> None:
    for args in (["--dist=load", "--ocr-images=none/*.npy"], ["--dist=loadfile"]):
        config = project.parseconfigure(*args, "--tx=2*popen")
        assert config.stash[RUN].pytest_xdist_make_scheduler(config, Producer("scheduler")) is None


def seconds(scheduler: Any, count: int) -> float:
    """Return the processor time of a run of so many tests, half of which have images."""
    tests = [f"test_export.py::test_{index % 8}[images/page {index // 8}.npy]" for index in range(count // 2)]
    tests += [f"test_other.py::test_{index}" for index in range(count // 2)]
    scheduler._images = type(scheduler._images)(f"images/page {index}.npy" for index in range(count // 16))
    begun = time.process_time()
    workers = begin(scheduler, tests)
    assert sum(go_on(scheduler, workers).values()) == count
    return time.process_time() - begun


def test_the_time_grows_with_the_tests(make: Any) -> None:
    assert seconds(make(), 32_000) < 24 * seconds(make(), 4_000)  # 8 times as many; 64 where it grows by their square


def test_tests_that_are_to_run_are_counted_as_this_distribution_counts_them(project: pytest.Pytester) -> None:
    for args, expected in (("load", 3), ("worksteal", 3), ("loadscope", 2), ("loadfile", 2), ("loadgroup", 2)):
        run = project.parseconfigure(f"--dist={args}", "--tx=2*popen").stash[RUN]
        run.pytest_xdist_node_collection_finished(ids=["a", "b", "a"])
        assert run.expected == expected


# The way from worker to controller


class Controller:
    """What `hear_xdist_lines` sees of the controller's side."""

    def __init__(self, project: pytest.Pytester) -> None:
        self.config = project.parseconfigure("-p", "no:terminal")
        self.queue: list[Any] = []
        self.processed: list[Any] = []
        self.lines: list[str] = []
        self.session = SimpleNamespace(loop_once=None)
        self.config.pluginmanager.register(self.session, "dsession")
        self.node: Any = SimpleNamespace(
            process_from_remote=self.processed.append, putevent=self.queue.append, workerinput={}
        )

    def hear(self) -> bool:
        hear_xdist_lines(self.config, self.node, self.lines.append)
        return bool(self.node.workerinput)


@pytest.fixture
def controller(project: pytest.Pytester) -> Controller:
    return Controller(project)


def test_a_line_goes_by_the_queue_and_all_else_as_before(controller: Controller) -> None:
    assert controller.hear()
    events: list[Any] = [-1, ("testreport", {}), ("ocrparity_line", {"text": "a line"}), object()]
    for event in events:
        controller.node.process_from_remote(event)
    assert controller.processed == [events[0], events[1], events[3]]
    ((name, values),) = controller.queue
    getattr(controller.session, f"worker_{name}")(**values)
    assert controller.lines == ["a line"]


@pytest.mark.parametrize("lack", ["process_from_remote", "putevent", "dsession", "loop_once", "order"])
def test_another_version_is_left_alone(controller: Controller, lack: str) -> None:
    if lack == "dsession":
        controller.config.pluginmanager.unregister(name="dsession")
    elif lack == "order":
        controller.node.channel = object()
    else:
        delattr(controller.session if lack == "loop_once" else controller.node, lack)
    before = dict(vars(controller.node))
    assert not controller.hear()
    assert vars(controller.node) == before


class Interactor:
    """A worker's end of the channel."""

    def __init__(self, is_closed: bool = False) -> None:
        self.sent: list[tuple[str, dict[str, object]]] = []
        self.is_closed = is_closed

    def sendevent(self, name: str, **values: object) -> None:
        if self.is_closed:
            raise OSError("cannot send")
        self.sent.append((name, values))


def test_a_worker_sends_lines_to_who_hears_them_alone(controller: Controller, project: pytest.Pytester) -> None:
    config: Any = project.parseconfigure()
    interactor = Interactor()
    config.pluginmanager.register(interactor)
    config.workerinput = {"workerid": "gw0"}
    send_xdist_line(config, "nobody hears this, and xdist would end this worker for it")
    assert interactor.sent == []
    assert controller.hear()
    config.workerinput |= controller.node.workerinput
    send_xdist_line(config, "a line")
    assert interactor.sent == [("ocrparity_line", {"text": "a line"})]
    interactor.is_closed = True
    send_xdist_line(config, "to a controller that is gone")
    config.pluginmanager.unregister(interactor)
    send_xdist_line(config, "in a version that sends otherwise")
    assert len(interactor.sent) == 1
