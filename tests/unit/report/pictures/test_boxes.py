"""Boxes, drawn: told apart by colour and dash, and each where it is."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from reports import pictures
from sides import traces
from toy import PAGE

from pytest_ocrparity import Detections
from pytest_ocrparity.report.document import Picture
from pytest_ocrparity.report.pictures.boxes import STYLES


def strokes(folder: Path, picture: Picture) -> list[tuple[str, str, str]]:
    """Return colour, dash and tooltip of each polygon, white borders left out."""
    root = ET.parse(folder / picture.file).getroot()
    polygons = [each for each in root.iter("{http://www.w3.org/2000/svg}polygon") if each.attrib["stroke"] != "#fff"]
    return [
        (each.attrib["stroke"], each.attrib.get("stroke-dasharray", ""), "".join(each.itertext())) for each in polygons
    ]


def test_boxes_are_told_apart_by_colour_and_dash(tmp_path: Path) -> None:
    assert len({style.colour for style in STYLES.values()}) == len(STYLES)
    assert len({(style.dash, style.fill) for style in STYLES.values()}) == len(STYLES)
    train, inference = traces()
    assert train.detections is not None
    boxes, scores = train.detections.polygons, train.detections.scores
    assert scores is not None
    far = boxes[0] + 200
    changed = replace(inference, detections=Detections((boxes[1] + 3, boxes[2], far), scores[[1, 2, 0]]))
    drawn = pictures(tmp_path, "detections", (train, changed))
    names = strokes(tmp_path, drawn["detections", "both"])
    assert names[-4:] == [
        (STYLES["missing"].colour, STYLES["missing"].dash, "box 0 of train: missing"),
        (STYLES["reference"].colour, "", "box 1 of train: moved"),
        (STYLES["candidate"].colour, STYLES["candidate"].dash, "box 0 of inference: moved"),
        (STYLES["extra"].colour, STYLES["extra"].dash, "box 2 of inference: extra"),
    ]
    assert len(names) == 6 and set(drawn) == {("detections", "both")}


def test_each_box_says_whose_it_is(tmp_path: Path) -> None:
    train, inference = traces()
    assert inference.detections is not None and inference.detections.scores is not None
    fewer = Detections(inference.detections.polygons[:2], inference.detections.scores[:2])
    drawn = pictures(tmp_path, "detections", (train, replace(inference, detections=fewer)))
    root = ET.parse(tmp_path / drawn["detections", "both"].file).getroot()
    groups = [each.attrib for each in root.iter("{http://www.w3.org/2000/svg}g")]
    assert sorted((each["data-side"], each["data-index"], each["data-kind"]) for each in groups) == [
        *(("candidate", str(index), "") for index in range(2)),
        *(("reference", str(index), "") for index in range(2)),
        ("reference", "2", "missing"),
    ]


def test_boxes_are_drawn_where_they_are(tmp_path: Path) -> None:
    drawn = pictures(tmp_path, "detections", traces())["detections", "both"]
    for name in (drawn.file, drawn.thumb):
        text = (tmp_path / name).read_text()
        assert ET.fromstring(text).attrib["viewBox"] == "0 0 96 64"
        assert 'points="7.0,7.0 41.0,7.0 41.0,21.0 7.0,21.0"' in text
    (uri,) = re.findall(r'href="data:image/jpeg;base64,([^"]+)"', text)
    assert np.abs(np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))).astype(int) - PAGE[..., ::-1]).mean() < 3
    (beside,) = re.findall(r'href="([^"]+)"', (tmp_path / drawn.file).read_text())
    with Image.open((tmp_path / drawn.file).parent / beside) as image:  # the picture of the decoded image, once
        assert np.abs(np.asarray(image).astype(int) - PAGE[..., ::-1]).mean() < 3


def test_boxes_that_are_no_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    train, inference = traces()
    broken = Detections((np.full((4, 2), np.nan),))
    drawn = pictures(tmp_path, "detections", (train, replace(inference, detections=broken)))
    assert len(strokes(tmp_path, drawn["detections", "both"])) == 3
    assert drawn["detections", "both"].caption == "3 boxes of train, 1 of inference"
