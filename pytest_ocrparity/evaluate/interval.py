"""How far chance could have made the difference of two accuracies.

The interval is two-sided, 95 %, of the candidate's hmean minus the reference's, where the images are drawn at random
from all that could have been labelled, those of one document together. Each draw gives every unit (image, or document)
a weight, from the Dirichlet distribution that is even over all weights of sum 1, and takes both hmeans of the weighted
sums; the ends are the 2.5 % and 97.5 % quantiles of the draws (Rubin, The Bayesian bootstrap, Annals of Statistics 9,
1981). To the units that were seen comes one that was not: for the lower end one whose boxes the candidate loses, for
the upper end one on which the sides do not differ, or the best of those seen.

With such a unit, and for a mean of values whose range is known, this is the bound of Gaffke (Three test statistics for
a nonparametric one-sided hypothesis on the mean of a nonnegative variable, Mathematical Methods of Statistics 14,
2005); see Learned-Miller and Thomas (A new confidence interval for the mean of a bounded random variable,
arXiv:1905.06208, 2020). Of losses that are 0 or 1 it is Clopper and Pearson's interval, which is exact. That it holds
for all distributions is conjectured, and an hmean is no mean: docs/explanation/accuracy.md simulates how often it
holds.

The unit that is lost is the largest that was seen, not one of mean size: what loses pages, such as a wrong limit of
their size, loses the dense ones. It is what makes a page cost more images than a line, by its boxes over the mean.
The range is known downwards only: a candidate may lose all. Upwards a page that gains all would be the bound, and with
it 30 images of which each lost a few boxes would show no loss; so rare large gains, of which a sample has none, are not
covered. The simulation says by how much.

Why not a percentile bootstrap, which is much like this without the unit that was not seen: where no image of a sample
lost anything, it says that none ever will. Where one page in 100 is lost as a whole, so it is with 90 % of the samples
of 10 images and with 37 % of those of 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Units: TypeAlias = "npt.NDArray[np.float64]"
"""(n, 5) for n units: matched of the reference, of the candidate, found of the reference, of the candidate, truth."""

LEVEL: Final = 0.025
"""How much lies beyond each end."""
DRAWS: Final = 10_000
"""Of so many, the share below an end is 2.5 % give or take 0.16."""
_SEED: Final = 0
_BLOCK: Final = 2**21
"""How many weights memory holds at once: 16 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The two-sided 95 % interval of candidate minus reference, as shares: -0.01 is one point lost."""

    low: Annotated[float, "the lower end, 2.5 % lie below it"]
    high: Annotated[float, "the upper end, 2.5 % lie above it"]


def hmean(matched: npt.ArrayLike, found: npt.ArrayLike, truth: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return 2 * matched / (found + truth), the harmonic mean of precision and recall; 0 where there is nothing."""
    whole = np.add(found, truth, dtype=np.float64)
    return np.asarray(np.divide(2 * np.asarray(matched), whole, out=np.zeros_like(whole), where=whole > 0))


def differences_for_interval(sums: Units) -> npt.NDArray[np.float64]:
    """Return hmean of the candidate minus that of the reference, of sums over units, (..., 5)."""
    one, two, found_by_one, found_by_two, truth = np.moveaxis(sums, -1, 0)
    return hmean(two, found_by_two, truth) - hmean(one, found_by_one, truth)


def unseen_units(units: Units) -> tuple[Units, Units]:
    """Return the unit that was not seen, for the lower and the upper end, each (5,).

    For the lower end one that is lost: the candidate finds as many boxes there as the reference, and none is right;
    where a unit that was seen is worse, for its false alarms, that one. For the upper end one on which the sides do not
    differ, or the best that was seen. Of those in question, each as large as one that was seen, that which moves the
    difference most.
    """
    sums = units.sum(axis=-2)
    lost, kept = units.copy(), units.copy()
    lost[..., 1], lost[..., 3] = 0, units[..., 2]
    kept[..., 1], kept[..., 3] = units[..., 0], units[..., 2]
    low = _extreme(np.concatenate([units, lost], axis=-2), sums, -1)
    return low, _extreme(np.concatenate([units, kept], axis=-2), sums, 1)


def _extreme(units: Units, sums: Units, sign: int) -> Units:
    """Return the unit that moves the difference farthest in a direction, judged by the derivative at the sums."""
    wholes = sums[..., None, 2:4] + sums[..., None, 4:]
    means = np.divide(2 * sums[..., None, :2], wholes, out=np.zeros_like(wholes), where=wholes > 0)
    moved = np.divide(
        2 * units[..., :2] - means * (units[..., 2:4] + units[..., 4:]),
        wholes,
        out=np.zeros_like(units[..., :2]),
        where=wholes > 0,
    )
    best = (sign * (moved[..., 1] - moved[..., 0])).argmax(axis=-1)
    return np.take_along_axis(units, best[..., None, None], axis=-2)[..., 0, :]


def interval_of(units: Units, *, times: float = 1.0, draws: int = DRAWS) -> Interval:
    """Return the interval of the difference of two hmeans.

    Args:
        units: what both sides found in each unit, (n, 5).
        times: as if each unit had been seen so many times.
        draws: number of draws; the same units give the same ends, as the seed is fixed.
    """
    distinct, counts = np.unique(units, axis=0, return_counts=True)
    low, high = unseen_units(units)
    generator = np.random.default_rng(_SEED)
    ends: list[list[npt.NDArray[np.float64]]] = [[], []]
    step = max(1, _BLOCK // (len(distinct) + 1))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        # A Dirichlet weight is a gamma variable over the sum of all, and the sum cancels in a ratio.
        sums = generator.standard_gamma(times * counts, (size, len(distinct))) @ distinct
        unseen = generator.standard_exponential((size, 1))
        for found, unit in zip(ends, (low, high), strict=True):
            found.append(differences_for_interval(sums + unseen * unit))
    lower, upper = (np.concatenate(each) for each in ends)
    return Interval(float(np.quantile(lower, LEVEL)), float(np.quantile(upper, 1 - LEVEL)))
