"""Networks of recognisers: several outputs, several heads, other engines, and several lines at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.ppocr.alignment import align_parameters
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.trace import Recognition
from real.blob import edited
from real.lines import YML, Reader, line
from real.test_recognisers import WIDE, deployed, sizes, text, trained


class TestNetworks:
    @pytest.mark.parametrize("kind", ["list", "named"])
    def test_of_several_outputs_the_last_is_decoded(self, reader: Reader, tmp_path: Path, kind: str) -> None:
        with isolated():
            import paddle

            values = {f"inner.{key}": value for key, value in paddle.load(str(reader.checkpoint)).items()}
            paddle.save(values, str(tmp_path / "several.pdparams"))
        settings = {"checkpoint": tmp_path / "several", "network": f"real.line_net:build_{kind}"}
        side = trained(reader, tmp_path, YML, **settings)
        assert text(side.trace(line("1002"))) == "1002"
        assert side.parameters["probability_map"]["outputs"] == (2 if kind == "list" else 1)

    @pytest.mark.parametrize("sub_model", ["Student", "Teacher"])
    def test_a_distillation(self, reader: Reader, tmp_path: Path, sub_model: str) -> None:
        model = {"model_type": "rec", "algorithm": "SVTR_LCNet", "Head": {"name": "MultiHead"}}
        architecture = {
            "model_type": "rec",
            "algorithm": "Distillation",
            "Models": dict.fromkeys(("Teacher", "Student"), model),
        }
        post_process = {
            **{"name": "DistillationCTCLabelDecode", "model_name": ["Student"], "key": "head_out"},
            "multi_head": True,
        }
        with isolated():
            import paddle

            own = paddle.load(str(reader.checkpoint))
            both = {f"{name}.inner.{key}": value for name in architecture["Models"] for key, value in own.items()}
            paddle.save(both, str(tmp_path / "both.pdparams"))
        yml = edited(YML, Architecture=architecture, PostProcess=post_process)
        settings = {"checkpoint": tmp_path / "both", "network": "real.line_net:build_pair", "sub_model": sub_model}
        assert text(trained(reader, tmp_path, yml, **settings).trace(line("1002"))) == "1002"

    def test_heads_have_as_many_classes_as_the_dictionary_asks_for(self) -> None:
        from pytest_ocrparity.backends.ppocr.trained_recogniser import with_classes

        multi = {"algorithm": "SVTR_LCNet", "Head": {"name": "MultiHead", "head_list": []}}
        wanted = {"CTCLabelDecode": 97, "SARLabelDecode": 99, "NRTRLabelDecode": 100}
        assert with_classes(multi, 97)["Head"]["out_channels_list"] == wanted
        assert with_classes({"Head": {"name": "CTCHead"}}, 97)["Head"]["out_channels"] == 97
        both = {"algorithm": "Distillation", "Models": {"A": multi, "B": {"Head": {"name": "CTCHead"}}}}
        made = with_classes(both, 97)["Models"]
        assert (made["A"]["Head"]["out_channels_list"], made["B"]["Head"]["out_channels"]) == (wanted, 97)
        assert "out_channels_list" not in multi["Head"]
        assert with_classes({"algorithm": "own"}, 97) == {"algorithm": "own"}

    def test_other_engines_read_the_same(self, deployed_reader: DeployedRecogniser) -> None:
        trace = deployed_reader.trace(line("1002"))
        assert trace.tensor is not None
        found = {each.cause: each.run(np.array(trace.tensor)) for each in deployed_reader.other_engines()}
        assert {"network.own_code", "engine.onednn", "engine.optimization"} == found.keys()
        assert all(deployed_reader.read_map(each).text == "1002" for each in found.values())

    def test_weights_are_aligned(self, trained_reader: TrainedRecogniser, deployed_reader: DeployedRecogniser) -> None:
        assert len(trained_reader.network.used) == 4
        stored, network = deployed_reader.stored_weights(), trained_reader.network
        (found,) = align_parameters(stored, network.arrays(), network.used)
        other = network.with_arrays({name: stored[own] for own, name in found.pairs.items()})
        trace = trained_reader.trace(line("1002"))
        assert trace.tensor is not None
        np.testing.assert_array_equal(other.run(np.array(trace.tensor)), trace.probability_map)


class TestBatches:
    """A batch is filled up to its widest line, which is beside what a trace compares: that is a batch of one."""

    DRAWN = ("7", WIDE, "1002")

    def test_it_is_what_the_class_makes_of_these_lines(
        self, reader: Reader, deployed_reader: DeployedRecogniser
    ) -> None:
        images = [line(drawn, coloured=True) for drawn in self.DRAWN]
        with isolated():
            from paddleocr import TextRecognition

            plain = TextRecognition(model_name="PP-OCRv5_mobile_rec", model_dir=str(reader.export))
            results = list(plain.predict(images, batch_size=3))
        traces = deployed_reader.trace_batch(images)
        assert [each.recognition for each in traces] == [
            Recognition(each["rec_text"], each["rec_score"]) for each in results
        ]
        assert [text(each) for each in traces] == list(self.DRAWN)
        assert [sizes(each) for each in traces] == [(48, 72, 648), (48, 648, 648), (48, 216, 648)]
        for image, trace in zip(images, traces, strict=True):
            alone = deployed_reader.trace(image)
            assert trace.tensor is not None and alone.tensor is not None and alone.decode == trace.decode
            np.testing.assert_array_equal(trace.resize, alone.resize)
            np.testing.assert_array_equal(trace.tensor[..., : alone.tensor.shape[3]], alone.tensor)
            assert not trace.tensor[..., alone.tensor.shape[3] :].any()

    def test_a_trace_is_a_batch_of_one_whatever_predict_is_given(self, reader: Reader, tmp_path: Path) -> None:
        side = deployed(reader, tmp_path, predict_options={"batch_size": 6})
        side.trace_batch([line(drawn) for drawn in self.DRAWN])
        assert sizes(side.trace(line("7"))) == (48, 72, 320)

    def test_a_batch_that_does_not_fit_is_refused(self, reader: Reader, tmp_path: Path) -> None:
        side = deployed(reader, tmp_path, memory_limit=400_000_000)
        assert text(side.trace(line("7"))) == "7"
        with pytest.raises(
            StageError, match=r"a batch of 100 tensors of 648x48 px, which would take an estimated .* a shorter line"
        ):
            side.trace_batch([line(WIDE)] * 100)
