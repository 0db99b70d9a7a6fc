"""Fixtures of ours that a test takes otherwise than by its arguments; assertions that it makes elsewhere."""

from __future__ import annotations

import textwrap

import pytest
from projects import wrong_export

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
ONE_IMAGE = "inference against train: 1 image"


def run(project: pytest.Pytester, code: str, *args: str) -> pytest.RunResult:
    project.makepyfile(test_export=textwrap.dedent(code))
    return project.runpytest(*NO_XDIST, *args)


class TestByName:
    """`request.getfixturevalue`."""

    CODE = """
        from pytest_ocrparity import assert_same_detections

        def test_late(request, ocr_image):
            train, inference = (request.getfixturevalue(f"ocr_{side}_model") for side in ("train", "inference"))
            assert_same_detections(train.trace(ocr_image), inference.trace(ocr_image))
        """

    def test_counts_as_an_argument_does(self, project: pytest.Pytester) -> None:
        result = run(project, self.CODE)
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["inference against train: 2 images"])

    def test_a_difference_fails(self, project: pytest.Pytester) -> None:
        wrong_export(project, pad=6)
        run(project, self.CODE).assert_outcomes(failed=2)

    def test_without_an_assertion_the_run_fails(self, project: pytest.Pytester) -> None:
        result = run(project, "def test_late(request): request.getfixturevalue('ocr_train_model')")
        result.assert_outcomes(passed=1, failed=1)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["nothing was compared: *"])


TESTCASE = """
    import unittest
    import pytest
    from pytest_ocrparity import assert_same_detections

    {mark}
    class TestExport(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _models(self, request):
            self.sides = [request.getfixturevalue(f"ocr_{{side}}_model") for side in ("train", "inference")]

        def test_boxes(self):
            for image in ("images/one_word.npy", "images/three_words.npy"):
                with self.subTest(image):
                    assert_same_detections(*(side.trace(image) for side in self.sides))
    """


class TestUnittest:
    """pytest does not parametrize a TestCase."""

    def test_a_loop_over_images_is_counted(self, project: pytest.Pytester) -> None:
        result = run(project, TESTCASE.format(mark=""))
        assert result.ret == 0
        result.stdout.fnmatch_lines(["inference against train: 2 images"])

    def test_and_a_difference_in_it_fails(self, project: pytest.Pytester) -> None:
        wrong_export(project, pad=6)
        result = run(project, TESTCASE.format(mark=""))
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*DifferenceError: images/one_word.npy: *"])

    def test_one_that_asks_for_ocr_image_is_told_what_it_can_do(self, project: pytest.Pytester) -> None:
        result = run(project, TESTCASE.format(mark='@pytest.mark.usefixtures("ocr_image")'))
        assert result.ret == 1
        result.stdout.fnmatch_lines(
            [
                "*which pytest does not do for a unittest.TestCase: write a test function, or loop over the images' "
                "paths and give each to .trace()"
            ]
        )
        assert "name it among" not in result.stdout.str()

    def test_a_plain_class_is_parametrized(self, project: pytest.Pytester) -> None:
        code = """
            import pytest
            from pytest_ocrparity import assert_same_detections

            @pytest.mark.usefixtures("ocr_image")
            class TestExport:
                def test_boxes(self, request, ocr_train_model, ocr_inference_model):
                    image = request.getfixturevalue("ocr_image")
                    assert_same_detections(ocr_train_model.trace(image), ocr_inference_model.trace(image))
            """
        result = run(project, code)
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["inference against train: 2 images"])

    def test_with_several_candidates(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pytest_ocrparity.session.models.inference_model_problems", lambda settings, name=None: [])
        with (project.path / "pyproject.toml").open("a") as file:
            file.write('\n[tool.ocrparity.candidates.a]\nmodel_dir="a"\n[tool.ocrparity.candidates.b]\nmodel_dir="b"\n')
        project.makeconftest("")
        code = """
            import unittest
            import pytest

            @pytest.mark.usefixtures("ocr_inference_model")
            class TestExport(unittest.TestCase):
                def test_boxes(self):
                    pass
            """
        result = run(project, code)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["*ocr_inference_model is parametrized by candidates at collection, which pytest *"]
        )
        result.stdout.fnmatch_lines(["*for a unittest.TestCase: write a test function, or keep one candidate*"])


DOCTEST = '''
    from pytest_ocrparity import assert_same_detections

    def compared(train, inference):
        """Compare.

        >>> train, inference = getfixture("ocr_train_model"), getfixture("ocr_inference_model")
        >>> compared(train, inference)
        <Comparison detections of images/one_word.npy: same>
        """
        image = "images/one_word.npy"
        return assert_same_detections(train.trace(image), inference.trace(image))
    '''


class TestDoctest:
    """What one prints is short, and the same everywhere."""

    def test_a_comparison_is_one_line(self, project: pytest.Pytester) -> None:
        result = run(project, DOCTEST, "--doctest-modules")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([ONE_IMAGE])

    def test_a_difference_fails(self, project: pytest.Pytester) -> None:
        wrong_export(project, pad=6)
        run(project, DOCTEST, "--doctest-modules").assert_outcomes(failed=1)

    def test_one_that_asks_for_ocr_image_is_told_what_it_can_do(self, project: pytest.Pytester) -> None:
        code = DOCTEST.replace('getfixture("ocr_train_model")', 'getfixture("ocr_image")')
        result = run(project, code, "--doctest-modules")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*which pytest does not do for a doctest: write a test function, or loop over *"])


ASYNC = """
    import asyncio
    from pytest_ocrparity import assert_same_detections

    def test_async(ocr_train_model, ocr_inference_model, ocr_image):
        async def compared():
            sides = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            await asyncio.{how}

        asyncio.run(compared())
    """


@pytest.mark.parametrize(
    "how", ["to_thread(assert_same_detections, *sides)", "sleep(0, assert_same_detections(*sides))"]
)
def test_asyncio(project: pytest.Pytester, how: str) -> None:
    code = ASYNC.format(how=how)
    result = run(project, code)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["inference against train: 2 images", "  detections  *2 same *"])
    wrong_export(project, pad=6)
    run(project, code).assert_outcomes(failed=2)
