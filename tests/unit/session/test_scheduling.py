"""The scheduler: an image's tests are one, and it goes on without a worker."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_ocrparity.session.run import RUN


def test_the_scheduler_takes_an_images_tests_as_one(project: pytest.Pytester) -> None:
    from xdist.remote import Producer

    config = project.parseconfigure("--dist=load", "--tx=2*popen")
    scheduler = config.stash[RUN].pytest_xdist_make_scheduler(config, Producer("scheduler"))
    image = scheduler._split_scope("test_export.py::test_a[images/one_word.npy]")
    assert image == scheduler._split_scope("test_export.py::test_b[fp16-images/one_word.npy]") == "images/one_word.npy"
    assert scheduler._split_scope("test_export.py::test_c[other]") == "test_export.py::test_c[other]"
    chosen = project.parseconfigure("--dist=loadfile", "--tx=2*popen")
    assert chosen.stash[RUN].pytest_xdist_make_scheduler(chosen, Producer("scheduler")) is None


class Worker:
    """What the scheduler sees of a worker; whole runs with killed ones are in integration/test_durability.py."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_the_scheduler_goes_on_without_a_worker(project: pytest.Pytester) -> None:
    from xdist.remote import Producer

    config = project.parseconfigure("--dist=load", "--tx=2*popen")
    scheduler = config.stash[RUN].pytest_xdist_make_scheduler(config, Producer("scheduler"))
    one, two, three = map(Worker, "abc")
    tests = [f"test_a.py::test[{index}]" for index in range(9)]
    for worker in (one, two):
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    assert (one.sent, two.sent) == ([0, 2], [1, 3])
    scheduler.add_node(three)
    assert scheduler.remove_node(two) == tests[1]  # that it died of, which nobody runs again
    assert (one.sent, three.sent) == ([0, 2, 4], [])  # the third is still collecting
    scheduler.add_node_collection(three, tests)
    scheduler.schedule()
    assert len(three.sent) == 2  # one to run, and one to come after it
    assert not {1} & {*one.sent, *three.sent}
    done: list[int] = []
    while busy := [each for each in (one, three) if each.sent]:
        done.append(busy[0].sent.pop(0))
        scheduler.mark_test_complete(busy[0], done[-1])
    assert sorted(done) == [0, *range(2, 9)]  # each once
    assert one.shutting_down and three.shutting_down
