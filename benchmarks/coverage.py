"""The 95 % intervals of tables hold the truth in 93 to 97 % of made-up screens: 4, 8, 12 and 18 test batches.

Those of changes by corrections, over perturbations and batches, in 93 % or more: with few batches that hardly differ
they are too wide.

Accuracies of batches scatter about their cell type's on the logit scale by 0.3 to 0.6 (sd), as published sds and our
own runs suggest, in half of the cases with tails of Student's t with 4 degrees of freedom; 2,000 images a batch. What a
bootstrap of percentiles over all batches covers stands beside, as `percentile`.

Usage: python benchmarks/coverage.py     (a minute and a half, one thread)
"""

import json
import sys

import numpy as np
from common import about
from scipy.special import expit, logit

from debatch.evaluate.uncertainty import batch_spread, crossed_spread, mean_spread, stratified_mean

SCREENS, IMAGES, RESAMPLED = 3000, 2000, 400
# name -> cell types: batches, accuracy, logit sd
CASES = {
    "4 of one cell type": [(4, 0.85, 0.5)],
    "4 of two": [(2, 0.85, 0.5), (2, 0.6, 0.5)],
    "8 of one": [(8, 0.85, 0.5)],
    "8 of two": [(4, 0.85, 0.4), (4, 0.6, 0.5)],
    "8 of two, uneven": [(6, 0.85, 0.4), (2, 0.6, 0.5)],
    "12 of three": [(4, 0.85, 0.5), (4, 0.6, 0.5), (4, 0.9, 0.5)],
    "18 as RxRx1, baseline": [(8, 0.842, 0.4), (4, 0.79, 0.4), (4, 0.762, 0.4), (2, 0.261, 0.6)],
    "18 as RxRx1, AdaBN": [(8, 0.921, 0.4), (4, 0.872, 0.4), (4, 0.862, 0.4), (2, 0.682, 0.5)],
}
LOW, HIGH = 0.93, 0.97


def main() -> None:
    """Print one JSON record; status 1 where a coverage is out of bounds."""
    generator = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {}
    for name, types in CASES.items():
        for heavy in (False, True):
            found[f"{name}{', heavy tails' if heavy else ''}"] = of_case(types, heavy, generator)
    for batches, units in ((4, 20), (8, 40), (18, 200)):
        for sd in (0.03, 0.1):
            name = f"changes of {units} perturbations in {batches} batches, whose sd is {sd}"
            found[name] = {"change": of_changes(batches, units, sd, generator)}
    held = {(case, what): share for case, shares in found.items() for what, share in shares.items()}
    highest = {"percentile": 1.0, "change": 1.0}  # a change's may be too wide, where batches hardly differ
    lowest = {"percentile": 0.0}
    out = [key for key, share in held.items() if not lowest.get(key[1], LOW) <= share <= highest.get(key[1], HIGH)]
    print(json.dumps({**about("coverage", 1), "screens": SCREENS, "coverage": found, "out_of_bounds": out}))
    sys.exit(bool(out))


def of_case(types: list[tuple[int, float, float]], heavy: bool, generator: np.random.Generator) -> dict[str, float]:
    """Share of screens whose interval holds the truth: of an accuracy, of a paired difference, of a ratio."""
    sizes = [size for size, _, _ in types]
    strata, weights = np.repeat(np.arange(len(types)), sizes), np.full(sum(sizes), float(IMAGES))
    share = np.array(sizes) / sum(sizes)
    many = [np.concatenate([draw(100_000, kind, heavy, generator) for _ in range(3)], axis=1) for kind in types]
    true = {
        "accuracy": float(share @ [own[0].mean() for own in many]),
        "difference": float(share @ [(own[1] - own[0]).mean() for own in many]),
        "ratio": float(share @ [own[0].mean() for own in many]) / float(share @ [own[1].mean() for own in many]),
    }
    hits = dict.fromkeys((*true, "percentile"), 0)
    for _ in range(SCREENS):
        one, other = np.concatenate([draw(size, (size, *kind), heavy, generator) for size, *kind in types], axis=1)
        one, other = (generator.binomial(IMAGES, own) / IMAGES for own in (one, other))
        above, below = (stratified_mean(own, strata, weights) for own in (one, other))

        def ratio(counts: np.ndarray, above=above, below=below) -> np.ndarray:
            return above(counts) / below(counts)

        spreads = {
            "accuracy": mean_spread(one, strata, weights, scale="share"),
            "difference": mean_spread(other - one, strata, weights),
            "ratio": batch_spread(ratio, strata, weights),
        }
        for what, spread in spreads.items():
            hits[what] += spread.low <= true[what] <= spread.high
        drawn = one[generator.integers(len(one), size=(RESAMPLED, len(one)))].mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        hits["percentile"] += low <= true["accuracy"] <= high
    return {what: round(count / SCREENS, 3) for what, count in hits.items()}


def draw(size: int, kind: tuple[int, float, float], heavy: bool, generator: np.random.Generator) -> np.ndarray:
    """(2, size) accuracies of batches under two methods: the second is better, and by more in some batches."""
    _, accuracy, sd = kind
    own, gain = (
        generator.standard_t(4, size) / np.sqrt(2) if heavy else generator.standard_normal(size) for _ in range(2)
    )
    return expit(np.stack([logit(accuracy) + sd * own, logit(accuracy) + 0.4 + sd * own + 0.2 * gain]))


def of_changes(batches: int, units: int, sd: float, generator: np.random.Generator) -> float:
    """Share of screens whose interval of a change holds the truth, where perturbations and batches are both drawn."""
    unit, batch = np.tile(np.arange(units), batches), np.repeat(np.arange(batches), units)
    hits = 0
    for _ in range(SCREENS):
        of_unit, of_batch = 0.05 * generator.standard_normal(units), sd * generator.standard_normal(batches)
        values = 0.02 + of_unit[unit] + of_batch[batch] + 0.2 * generator.standard_normal(len(unit))
        spread = crossed_spread(values, unit, batch, np.zeros(len(unit)))
        hits += spread.low <= 0.02 <= spread.high
    return round(hits / SCREENS, 3)


if __name__ == "__main__":
    main()
