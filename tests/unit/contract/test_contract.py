"""What a pipeline offers, and a pipeline over recorded traces."""

from __future__ import annotations

import numpy as np
import pytest
from replay import ReplayPipeline
from toy import PAGE, Toy

from pytest_ocrparity.contract import HasSettingsTable, offered, pipeline_of
from pytest_ocrparity.errors import ImageError, StageError


def test_what_raises_when_it_is_read_is_offered_all_the_same() -> None:
    class Raises:
        @property
        def table(self) -> str:
            return str(self.no_such_name)  # type: ignore[attr-defined]

    class Passes:
        def __getattr__(self, name: str) -> str:
            if name != "table":
                raise AttributeError(name)
            return "inference"

    assert [offered(each, HasSettingsTable) is not None for each in (Raises(), Passes(), object(), None)] == [
        *(True, True, False, False)
    ]


class TestReplay:
    def pipeline(self) -> ReplayPipeline:
        return ReplayPipeline([Toy().trace(PAGE)], name="recorded")

    def test_it_gives_back_its_traces_and_runs_their_stages(self) -> None:
        trace = self.pipeline().trace("page.png")
        assert trace.pipeline == "recorded"
        assert trace.tensor is not None
        assert trace.probability_map is not None
        assert trace.shape is not None
        source = pipeline_of(trace)
        assert source is not None
        assert np.array_equal(source.infer(trace.tensor), trace.probability_map)
        assert source.postprocess(trace.probability_map, trace.shape) == trace.detections
        assert source.preprocess("page.png").stages == ("decode", "resize", "tensor")
        assert source.parameters == trace.parameters

    def test_what_it_does_not_hold_is_an_error(self) -> None:
        pipeline = self.pipeline()
        with pytest.raises(ImageError, match=r"other.png: recorded holds no trace of it; it has \['page.png'\]"):
            pipeline.trace("other.png")
        with pytest.raises(ImageError, match="this array: recorded holds no trace of it"):
            pipeline.trace(PAGE)
        with pytest.raises(StageError, match="has none for this tensor"):
            pipeline.infer(np.zeros((1, 3, 4, 4), np.float32))
        with pytest.raises(StageError, match="has none for this map"):
            pipeline.postprocess(np.zeros((1, 1, 4, 4), np.float32), (4.0, 4.0, 1.0, 1.0))
        assert ReplayPipeline([]).parameters == {}

    def test_functions_answer_for_the_rest(self) -> None:
        toy = Toy()
        pipeline = ReplayPipeline([Toy().trace(PAGE)], infer=toy.infer, postprocess=toy.postprocess)
        tensor = np.zeros((1, 3, 4, 4), np.float32)
        probability_map = pipeline.infer(tensor)
        assert np.array_equal(probability_map, toy.infer(tensor))
        assert len(pipeline.postprocess(probability_map, (4.0, 4.0, 1.0, 1.0))) == 0
