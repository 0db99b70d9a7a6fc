"""Which parameters differ, and which differ by nature."""

from __future__ import annotations

from dataclasses import replace

from sides import traces

from pytest_ocrparity.compare import compare


class TestStages:
    """The stage that is named is the first."""

    def test_engines_of_training_and_deployment_differ_by_nature(self) -> None:
        reference, candidate = traces(gain=7.0)
        engines = ({"engine": "dygraph", "outputs": 1}, {"engine": "paddle", "cpu_threads": 10, "outputs": 2})
        sides = [
            replace(trace, parameters={**trace.parameters, "probability_map": engine})
            for trace, engine in zip((reference, candidate), engines, strict=True)
        ]
        comparison = compare(reference=sides[0], candidate=sides[1])[1]
        assert [parameter.name for parameter in comparison.parameters] == ["outputs"]
