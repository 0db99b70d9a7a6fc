"""Images that a test brings, by `parametrize`, a fixture or a hook: those are compared, once each, and no others."""

from __future__ import annotations

import pytest
from _pytest import fixtures

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
TEST = """
    import numpy as np
    import pytest
    from pytest_ocrparity import assert_same_detections

    {mark}
    def test_mine(ocr_train_model, ocr_inference_model, ocr_image):
        assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
ONE = '"images/one_word.npy"'
GENERATED = """

def pytest_generate_tests(metafunc):
    if "ocr_image" in metafunc.fixturenames:
        metafunc.parametrize("ocr_image", ["images/one_word.npy"]{indirect})
"""


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest(*NO_XDIST, *args)


def write(project: pytest.Pytester, mark: str, more: str = "") -> None:
    project.makepyfile(test_export=TEST.format(mark=mark) + more)


@pytest.mark.parametrize(
    "mark",
    [
        f'@pytest.mark.parametrize("ocr_image", [{ONE}])',
        f'@pytest.mark.parametrize("ocr_image", [{ONE}], indirect=True)',
        f'@pytest.mark.parametrize("ocr_image", [{ONE}], indirect=["ocr_image"], scope="session")',
        f'@pytest.mark.parametrize(argnames=("ocr_image",), argvalues=[({ONE},)], indirect=True)',
    ],
)
def test_by_a_mark(project: pytest.Pytester, mark: str) -> None:
    write(project, mark)
    result = run(project, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["inference against train: 1 image", "    images/one_word.npy *"])


@pytest.mark.parametrize("indirect", ["", ", indirect=True"])
def test_by_a_hook(project: pytest.Pytester, indirect: str) -> None:
    write(project, "")
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(GENERATED.format(indirect=indirect))
    result = run(project, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["inference against train: 1 image", "    images/one_word.npy *"])


def test_by_a_hook_of_the_module(project: pytest.Pytester) -> None:
    write(project, "", GENERATED.replace("\n", "\n    ").format(indirect=", indirect=True"))
    run(project).assert_outcomes(passed=1)


def test_an_array_may_be_given(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export=TEST.format(
            mark='@pytest.mark.parametrize("ocr_image", [np.load("images/one_word.npy")], ids=["one"], indirect=True)'
        )
    )
    result = run(project, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["inference against train: 1 image"])


def test_beside_other_parameters(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.mark.parametrize("ocr_image, turned", [("a", 0), ("b", 90)], indirect=["ocr_image"])
        @pytest.mark.parametrize("again", [1, 2])
        def test_mine(ocr_image, turned, again):
            assert (ocr_image, turned) in (("a", 0), ("b", 90))
        """
    )
    run(project).assert_outcomes(passed=4, failed=1)  # and the fault that nothing was compared


def test_other_parameters_leave_the_settings_images(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.mark.parametrize("turned", [0, 90])
        def test_mine(ocr_image, turned):
            assert ocr_image.name in ("one_word.npy", "three_words.npy")
        """
    )
    run(project).assert_outcomes(passed=4, failed=1)  # and the fault that nothing was compared


OVERRIDE = """
    import pytest

    @pytest.fixture{params}
    def ocr_image({request}ocr_image):
        return (ocr_image, {value})
"""


def test_an_override_that_reads_its_own_parameter_gets_the_settings_images(project: pytest.Pytester) -> None:
    body = """
    def test_mine(ocr_image):
        image, turned = ocr_image
        assert image.name in ("one_word.npy", "three_words.npy") and turned in (0, 90)
    """
    written = OVERRIDE.format(params="(params=[0, 90])", request="request, ", value="request.param")
    project.makepyfile(test_export=written + body)
    result = run(project)
    if hasattr(fixtures, "traverse_fixture_closure"):
        result.assert_outcomes(passed=4, failed=1)  # and the fault that nothing was compared
    else:  # an older pytest does not follow what an overridden fixture asks for
        result.assert_outcomes(errors=2)
        result.stdout.fnmatch_lines(
            ["*ocr_image is parametrized by images at collection: name it among the test's arg*"]
        )


def test_an_override_that_reads_none_hands_it_on(project: pytest.Pytester) -> None:
    body = """
    @pytest.mark.parametrize("ocr_image", ["a", "b"], indirect=True)
    def test_mine(ocr_image):
        assert ocr_image in (("a", "cut"), ("b", "cut"))
    """
    project.makepyfile(test_export=OVERRIDE.format(params="", request="", value='"cut"') + body)
    run(project).assert_outcomes(passed=2, failed=1)  # and the fault that nothing was compared


@pytest.mark.parametrize("indirect", ["", ", indirect=True"])
def test_two_places_are_an_error_at_collection(project: pytest.Pytester, indirect: str) -> None:
    write(project, "")
    late = GENERATED.format(indirect=indirect).replace("def ", "@pytest.hookimpl(trylast=True)\ndef ")
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(late)
    result = run(project)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*::test_mine[[]*: ocr_image is parametrized twice: *"])


def test_each_candidate_gets_them(project: pytest.Pytester) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.candidates.a]\nmodel_dir="a"\n[tool.ocrparity.candidates.b]\nmodel_dir="b"\n')
    project.makeconftest("")
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.mark.parametrize("ocr_image", ["one", "two"], indirect=True)
        def test_mine(ocr_inference_model, ocr_image):
            pass
        """
    )
    result = run(project, "--collect-only", "-q")
    assert [line.partition("[")[2] for line in result.outlines if "::" in line] == [
        "a-one]",
        "b-one]",
        "a-two]",
        "b-two]",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ocr_train_model", "override the fixture"),
        ("ocr_inference_model", "candidates are [[]tool.ocrparity.candidates.NAME[]] in the settings*"),
        ("ocr_golden", "golden.dir and golden.reference set what it reads"),
    ],
)
def test_a_parameter_that_nothing_would_read_is_an_error(project: pytest.Pytester, name: str, told: str) -> None:
    project.makeconftest("")
    project.makepyfile(
        test_export=f"""
        import pytest

        @pytest.mark.parametrize("{name}", ["other"], indirect=True)
        def test_mine({name}):
            pass
        """
    )
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*::test_mine[[]other[]]: {name} reads no parameter, so that 'other' *: {told}"])


def test_an_override_may_read_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.fixture(scope="session")
        def ocr_inference_model(request):
            return request.param

        @pytest.mark.parametrize("ocr_inference_model", ["other"], indirect=True)
        def test_indirect(ocr_inference_model):
            assert ocr_inference_model == "other"

        @pytest.mark.parametrize("ocr_train_model", ["other"])
        def test_direct(ocr_train_model):
            assert ocr_train_model == "other"
        """
    )
    run(project).assert_outcomes(passed=2, failed=1)  # and the fault that nothing was compared
