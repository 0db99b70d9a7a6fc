"""Train the example's recogniser on drawn lines: `python -m example_project.train_rec`.

It took 16 minutes of processor time, OMP_NUM_THREADS=1, on two cores that other processes used too.
Writes checkpoints/tiny_rec.pdparams, and prints how many lines it reads right of a thousand that training never saw:
with the width of `eval_mode: true`, which is the deployment's, and with that of PaddleOCR's default, which squeezes.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import paddle
import yaml

from example_project.render import Array
from example_project.render_lines import Line, line
from example_project.tiny_rec.characters import architecture, classes
from example_project.tiny_rec.network import build

FOLDER = Path(__file__).parent
CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "configs" / "tiny_rec.yml").read_text())
CHECKPOINT = FOLDER / "checkpoints" / "tiny_rec.pdparams"
HEIGHT, WIDTH = 32, 160
"""The yml's image_shape."""
STRIDE = 4
"""Columns of the tensor per timestep."""
LONGEST = 26
CLASSES = classes(CONFIG)

Tensor = npt.NDArray[np.float32]


def to_tensor(image: Array, width: int) -> Tensor:
    """Return (3, HEIGHT, width): the line with its aspect as far as the width allows, then padding of 0."""
    tall, wide = image.shape[:2]
    content = min(width, math.ceil(HEIGHT * wide / tall))
    scaled = cv2.resize(image, (content, HEIGHT)).astype(np.float32) / 255
    tensor = np.zeros((3, HEIGHT, width), np.float32)
    tensor[..., :content] = (scaled.transpose(2, 0, 1) - 0.5) / 0.5
    return tensor


def own_width(image: Array) -> int:
    """Return the width that the deployment gives a line: its own, and at least that of image_shape."""
    return max(WIDTH, int(HEIGHT * image.shape[1] / image.shape[0]))


def fits(drawn: Line, width: int) -> bool:
    """Whether a tensor holds the line nearly unsqueezed, with a timestep per character and one between equal ones."""
    repeats = sum(first == second for first, second in zip(drawn.text, drawn.text[1:], strict=False))
    squeezed = HEIGHT * drawn.image.shape[1] / drawn.image.shape[0] / width
    return squeezed <= 1.15 and len(drawn.text) + repeats < width // STRIDE


def batch(
    rng: np.random.Generator, size: int, width: int, most: int
) -> tuple[Tensor, npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return tensors of one width, the classes of their characters, and the number of these."""
    drawn: list[Line] = []
    while len(drawn) < size:
        candidate = line(rng, most)
        if fits(candidate, width):
            drawn.append(candidate)
    truth = np.zeros((size, LONGEST), np.int32)
    for row, each in zip(truth, drawn, strict=True):
        row[: len(each.text)] = [CLASSES.index(character) for character in each.text]
    tensors = np.stack([to_tensor(each.image, width) for each in drawn])
    return tensors, truth, np.array([len(each.text) for each in drawn], np.int64)


def lesson(rng: np.random.Generator, done: float) -> tuple[int, int]:
    """Return width and most characters of a batch. Short lines come first: they lead CTC off its all-blank plateau.

    Several widths make the network used to padding of several lengths, which a batch of lines has.
    """
    if done < 0.06:
        return 64, 3
    if done < 0.14:
        return ((96, 5), (128, 7))[rng.integers(2)]
    return ((96, 6), (128, 9), (160, 12), (160, 12), (224, 17), (352, LONGEST))[rng.integers(6)]


def train(steps: int, checkpoint: Path, size: int = 32) -> None:
    """Train and write the checkpoint."""
    paddle.seed(1)
    network = build(architecture(CONFIG))
    print(f"{sum(int(p.size) for p in network.parameters())} parameters, {steps} steps of {size} lines")
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(2e-3, T_max=steps)
    warm = paddle.optimizer.lr.LinearWarmup(schedule, max(1, steps // 25), 0.0, 2e-3)
    clip = paddle.nn.ClipGradByGlobalNorm(5.0)
    optimizer = paddle.optimizer.AdamW(warm, parameters=network.parameters(), weight_decay=0.01, grad_clip=clip)
    ctc = paddle.nn.CTCLoss(blank=0)
    validation = held_back(98, 100)
    network.train()
    losses = []
    for step in range(steps):
        rng = np.random.default_rng([7, step])
        width, most = lesson(rng, step / steps)
        tensors, truth, lengths = (paddle.to_tensor(part) for part in batch(rng, size, width, most))
        logits = network(tensors).transpose([1, 0, 2])
        loss = ctc(logits, truth, paddle.full([size], logits.shape[0], "int64"), lengths)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        warm.step()
        losses.append(float(loss))
        if (step + 1) % 200 == 0:
            right = accuracy(network, validation, squeeze=False)
            print(f"step {step + 1}: loss {np.mean(losses[-200:]):.3f}, {right:.2f} of 100 other lines", flush=True)
            network.train()
    paddle.save(network.state_dict(), str(checkpoint))


def held_back(seed: int, count: int) -> list[Line]:
    """Return lines that training never saw; one in six is as long as the longest."""
    lines = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        lines.append(line(rng, LONGEST if number % 6 == 0 else 12))
    return lines


def read(network: paddle.nn.Layer, image: Array, width: int) -> str:
    """Return the text: the likeliest class of each timestep, once where it repeats, without blanks."""
    with paddle.no_grad():
        best = network(paddle.to_tensor(to_tensor(image, width)[None])).numpy()[0].argmax(-1)
    return "".join(CLASSES[now] for before, now in zip([0, *best[:-1]], best, strict=True) if now != before)


def accuracy(network: paddle.nn.Layer, lines: list[Line], *, squeeze: bool) -> float:
    """Return the share of lines that are read right, spaces counted, one line at a time."""
    network.eval()
    right = [read(network, each.image, WIDTH if squeeze else own_width(each.image)) == each.text for each in lines]
    return float(np.mean(right))


def evaluate(checkpoint: Path) -> None:
    """Print the accuracy on a thousand held-back lines, with both widths."""
    network = build(architecture(CONFIG))
    network.set_state_dict(paddle.load(str(checkpoint)))
    lines = held_back(99, 1000)
    wide = [each for each in lines if own_width(each.image) > WIDTH]
    for name, chosen in (("held-back lines", lines), (f"of them wider than {WIDTH}:{HEIGHT}", wide)):
        own, squeezed = accuracy(network, chosen, squeeze=False), accuracy(network, chosen, squeeze=True)
        print(f"{len(chosen)} {name}: {own:.3f} right at their own width, {squeezed:.3f} squeezed into {WIDTH} px")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--evaluate-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.evaluate_only:
        train(arguments.steps, arguments.checkpoint)
    evaluate(arguments.checkpoint)
