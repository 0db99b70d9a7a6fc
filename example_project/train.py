"""Train a detector of the example: `python -m example_project.train`, about fifteen minutes on one core.

Writes checkpoints/tiny_db.pdparams, and checkpoints/tiny_db_early.pdparams from an earlier step: the "latest instead
of best" that real projects export by mistake. Prints the hmean on pages that training never saw.

`--config example_project/configs/tiny_mobile.yml --steps 600 --rate 0.008 --prune 0.3` trains the depthwise one and
prunes it softly: from two thirds of the steps on, channels are masked and stay where they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import paddle
import pyclipper
import yaml

from example_project.render import Page, page
from example_project.tiny_db.network import build
from pytest_ocrparity.geometry import match_polygons

FOLDER = Path(__file__).parent
SIDE = 320
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
SHRINK = 0.6
"""A box moves inwards by area * (1 - SHRINK^2) / perimeter. For a long line that leaves 0.36 of its height, which
`unclip_ratio` 1.5 turns into 0.9 again; DB's own 0.4 would leave 0.16, a core so thin that few lines reached
`box_thresh` 0.6 after a training as short as this (measured: precision 0.97, recall 0.50)."""

Maps = npt.NDArray[np.float32]


def sample(rng: np.random.Generator) -> tuple[Maps, Maps]:
    """Return a (3, S, S) tensor and its (3, S, S) labels: shrunk text, threshold, threshold's mask."""
    # The evaluation enlarges small pages, which blurs them: half of the samples are drawn smaller and enlarged too.
    zoom = float(rng.choice([1.0, 1.0, 1.5, 2.0]))
    small = round(SIDE / zoom)
    angle = (
        float(rng.normal(0, 4)) if rng.random() < 0.5 else float(rng.uniform(-50, 50)) if rng.random() < 0.2 else 0.0
    )
    drawn = page(rng, small, small, (9 / zoom + 2, 110 / zoom), lines=int(rng.integers(0, 9)), angle=angle)
    image = cv2.resize(drawn.image, (SIDE, SIDE))
    if rng.random() < 0.3:  # documents are also compressed
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])[1], 1)
    tensor = ((image.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)
    return tensor, labels(Page(image, [quad * SIDE / small for quad in drawn.quads]))


def labels(drawn: Page) -> Maps:
    """Return DB's training labels of a page."""
    shrunk, threshold, mask = (np.zeros((SIDE, SIDE), np.float32) for _ in range(3))
    for quad in drawn.quads:
        points = quad.astype(np.float32)
        distance = cv2.contourArea(points) * (1 - SHRINK**2) / max(cv2.arcLength(points, True), 1.0)
        for inner in offset(quad, -distance):
            cv2.fillPoly(shrunk, [inner.astype(np.int32)], 1.0)
        edge = np.full((SIDE, SIDE), 255, np.uint8)
        cv2.polylines(edge, [quad.round().astype(np.int32)], True, 0)
        away = cv2.distanceTransform(edge, cv2.DIST_L2, 3)
        np.maximum(threshold, 1 - away / max(distance, 1.0), out=threshold)
        for outer in offset(quad, distance):
            cv2.fillPoly(mask, [outer.astype(np.int32)], 1.0)
    return np.stack([shrunk, 0.3 + 0.4 * np.clip(threshold, 0, 1), mask])


def offset(quad: npt.NDArray[np.float64], distance: float) -> list[npt.NDArray[np.float64]]:
    """Move the outline of a polygon outwards, or inwards for a negative distance."""
    clipper = pyclipper.PyclipperOffset()
    clipper.AddPath(np.round(quad * 8).astype(int).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(path, np.float64) / 8 for path in clipper.Execute(distance * 8)]


def dice(ours: Any, truth: Any) -> Any:
    """Return one minus the overlap of two maps."""
    return 1 - 2 * (ours * truth).sum() / ((ours + truth).sum() + 1e-6)


def loss_of(maps: Any, truth: Any) -> Any:
    """Return DB's loss: probability (balanced cross entropy and dice), threshold (L1), binary map (dice)."""
    shrunk, threshold, mask = truth[:, 0], truth[:, 1], truth[:, 2]
    probability = maps[:, 0].clip(1e-6, 1 - 1e-6)
    entropy = -(shrunk * probability.log() + (1 - shrunk) * (1 - probability).log())
    positive = shrunk.sum()
    negatives = (entropy * (1 - shrunk)).flatten()
    hardest = negatives.topk(int(min(float((1 - shrunk).sum()), max(float(positive) * 3, 1000.0))))[0]
    balanced = ((entropy * shrunk).sum() + hardest.sum()) / (positive + hardest.shape[0])
    border = ((maps[:, 1] - threshold).abs() * mask).sum() / (mask.sum() + 1e-6)
    return balanced + dice(probability, shrunk) + border * 4 + dice(maps[:, 2], shrunk)


def masked_channels(network: Any, share: float) -> list[tuple[Any, Any]]:
    """Return the batch norms behind pointwise convolutions, each with the channels to keep: 1, and 0 for the smallest.

    The depthwise convolution that follows has the same channels (He et al., "Soft Filter Pruning for Accelerating Deep
    Convolutional Neural Networks", IJCAI 2018).
    """
    norms = [block[4] for stage in network.stages for block in stage]
    return [(norm, (norm.weight.abs() > norm.weight.abs().quantile(share)).astype("float32")) for norm in norms]


def train(config: Path, steps: int, rate: float = 4e-3, prune: float = 0.0, batch: int = 8) -> None:
    """Train and write the checkpoint that a yml names, and an early one beside it."""
    paddle.seed(1)
    yml = yaml.safe_load(config.read_text())
    network, checkpoint = build(yml["Architecture"]), FOLDER / yml["Global"]["pretrained_model"]
    print(f"{sum(int(p.size) for p in network.parameters())} parameters, {steps} steps of {batch} at {SIDE} px")
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(rate, T_max=steps)
    warm = paddle.optimizer.lr.LinearWarmup(schedule, 20, rate / 10, rate)
    optimizer = paddle.optimizer.Adam(warm, parameters=network.parameters())
    network.train()
    masked: list[tuple[Any, Any]] = []
    for step in range(1, steps + 1):
        rng = np.random.default_rng([7, step])
        tensors, truth = (
            paddle.to_tensor(np.stack(parts)) for parts in zip(*(sample(rng) for _ in range(batch)), strict=True)
        )
        loss = loss_of(network(tensors)["maps"], truth)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        warm.step()
        if step == steps * 2 // 3 and prune:
            masked = masked_channels(network, prune)
        for norm, kept in masked:
            norm.weight.set_value(norm.weight * kept)
            norm.bias.set_value(norm.bias * kept)
        if step % 50 == 0:
            print(f"step {step}: loss {float(loss):.3f}", flush=True)
        if step == steps * 4 // 5:
            paddle.save(network.state_dict(), f"{checkpoint}_early.pdparams")
    paddle.save(network.state_dict(), f"{checkpoint}.pdparams")


def evaluate(config: Path, paddleocr_root: Path, pages: int = 40) -> float:
    """Return the hmean at IoU 0.5 on pages with seeds of their own, through PaddleOCR's evaluation pipeline."""
    from pytest_ocrparity.backends.ppocr.pipeline import (
        load_training,  # imports PaddleOCR, which training does not need
    )

    model = load_training(
        config=config,
        checkpoint=FOLDER / yaml.safe_load(config.read_text())["Global"]["pretrained_model"],
        paddleocr_root=paddleocr_root,
        network="tiny_db.network:build",
        network_folder=FOLDER,
    )
    found = right = wanted = 0
    for seed in range(pages):
        rng = np.random.default_rng([99, seed])
        drawn = page(
            rng, int(rng.integers(400, 800)), int(rng.integers(400, 1000)), (12, 44), angle=float(rng.normal(0, 3))
        )
        detections = model.trace(drawn.image).detections
        assert detections is not None
        found, wanted = found + len(detections), wanted + len(drawn.quads)
        right += len(match_polygons(drawn.quads, detections.polygons, min_iou=0.5).pairs)
    precision, recall = right / max(found, 1), right / max(wanted, 1)
    hmean = 2 * precision * recall / max(precision + recall, 1e-9)
    print(f"{pages} held-back pages, {wanted} lines: precision {precision:.3f}, recall {recall:.3f}, hmean {hmean:.3f}")
    return hmean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=FOLDER / "configs" / "tiny_db.yml", help="a training yml")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=4e-3, help="the largest learning rate")
    parser.add_argument("--prune", type=float, default=0.0, help="the share of channels that are masked")
    parser.add_argument("--paddleocr-root", type=Path, default=FOLDER.parent / ".venv" / "paddleocr-2.10" / "paddleocr")
    parser.add_argument("--evaluate-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.evaluate_only:
        train(arguments.config, arguments.steps, arguments.rate, arguments.prune)
    evaluate(arguments.config, arguments.paddleocr_root)
