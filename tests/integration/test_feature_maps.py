"""The feature maps at the layer where a network begins to differ: from the diagnosis into the report."""

from __future__ import annotations

import pytest
from layered import write_layered_project

from integration.test_report import page_of, results_of

HEADING = "Where the network begins to differ: head (subtract)"
STAGES = ("layer_input", "layer_output")


def report_of(pytester: pytest.Pytester, fault: str, *args: str, count: int = 1) -> tuple[list[dict[str, object]], str]:
    """Run a project of layers, and return the pictures of feature maps and the text of the page."""
    write_layered_project(pytester.path, fault, count)
    result = pytester.runpytest_subprocess("--ocr-report=report", *args)
    result.assert_outcomes(failed=count)
    pictures = [each for found in results_of(pytester)["comparisons"] for each in found["pictures"]]
    return [each for each in pictures if each["stage"] in STAGES], page_of(pytester).text


@pytest.mark.parametrize("args", [("-p", "no:xdist"), ("-n", "1")], ids=["alone", "xdist"])
def test_a_layer_is_shown_with_what_goes_in_and_what_comes_out(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    pictures, text = report_of(pytester, "bias=0.05", *args, count=2)
    # The cause is looked for on one image, and proved again on the other: there nothing is searched.
    sides = ("reference", "candidate", "difference")
    assert [(each["stage"], each["side"]) for each in pictures] == [(stage, side) for stage in STAGES for side in sides]
    goes_in, comes_out = pictures[0], pictures[3]
    assert goes_in["file"] == pictures[1]["file"]
    assert comes_out["file"] != pictures[4]["file"]
    assert comes_out["bar"] == pictures[4]["bar"]
    assert str(comes_out["caption"]).startswith("head (subtract), channel 0 of 1 (from 0), 64x64 of its 256x200 values")
    assert text.count(HEADING) == 1
    assert "begins to differ" in text


def test_a_fault_before_the_network_has_no_layer_to_show(pytester: pytest.Pytester) -> None:
    pictures, text = report_of(pytester, "mean=0.52", "-p", "no:xdist")
    assert pictures == []
    assert "network begins to differ" not in text
    assert "first difference at tensor" in text


def test_a_run_without_report_draws_nothing(pytester: pytest.Pytester) -> None:
    write_layered_project(pytester.path, "bias=0.05")
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*first at head (subtract)*"])
    assert not list(pytester.path.rglob("layer_*"))
