"""The planted truth of a simulated screen: what each perturbation and each batch does to cells and camera."""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from debatch.config.simulation import CHANNELS, SimulationConfig

# A trait is a latent number, 0 for an average cell. Its visibility says how well a classifier recognises a
# change of it at 64 px: classes that differ only in faint traits could not be told apart by any network.
VISIBILITY: dict[str, float] = {
    "nuc_size": 0.85,
    "nuc_ecc": 0.15,
    "cell_size": 1.0,
    "cell_elong": 0.4,
    "count": 0.5,
    "chrom": 0.3,
    "ncl_num": 0.4,
    "ncl_size": 0.35,
    "er_fall": 0.5,
    "er_tex": 0.6,
    "fibre": 0.15,
    "ring": 0.3,
    "mito_tex": 0.3,
    "mito_rad": 0.9,
    "golgi_disp": 0.6,
    "golgi_dist": 0.65,
    "wobble": 0.35,
    "rna_cyt": 0.9,
}
TRAITS: tuple[str, ...] = tuple(VISIBILITY)

CANDIDATES = 300
TRAITS_CHANGED = 4
POSITIVE_CONTROL_FACTOR = 1.3
CELL_TYPE_SD = 0.2
# of the variance of treatments' effects
MECHANISM_SHARE = 0.5

TRAIT_SD = 0.26
COUNT_SD = 0.54
GAMMA_SD = 0.225
BLUR_PX = (0.31, 1.03)
BLEED_PROBABILITY = 0.35
BLEED_MOST = 0.26
ILLUMINATION_SD = 0.3
HAZE_MOST = 0.19
NOISE = (0.014, 0.04)
EXPERIMENT_GAIN_SD = 0.35
EXPERIMENT_OFFSET = 0.06
PLATE_GAIN_SD = 0.40
PLATE_OFFSET = 0.05


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Random numbers that depend on the seed and on what they are for, never on what was drawn before."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def _spread_effects(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Effects (classes, traits) that are far from each other and from no effect.

    Independent draws would make some screens much harder than others. So, from a pool of random effects, each
    class takes the one whose nearest neighbour among those taken is furthest away as the eye sees it.
    """
    visibility = np.array(list(VISIBILITY.values()))
    pool_size = max(CANDIDATES, 4 * classes)
    changed = rng.random((pool_size, len(TRAITS))).argsort(axis=1) < TRAITS_CHANGED
    pool = changed * rng.choice([-1.0, 1.0], changed.shape) * rng.uniform(0.8, 1.2, changed.shape)
    nearest = np.linalg.norm(pool * visibility, axis=1)
    effects = np.empty((classes, len(TRAITS)))
    for i in range(classes):
        effects[i] = pool[nearest.argmax()]
        nearest = np.minimum(nearest, np.linalg.norm((pool - effects[i]) * visibility, axis=1))
    return effects


def planted_effects(config: SimulationConfig) -> pd.DataFrame:
    """What each perturbation adds to each trait, by cell type.

    Returns:
        One row a (cell_type, perturbation), which is the index; one column a trait; untreated cells' is all zero.
    """
    controls, treatments = config.class_names()
    names = [*controls, *treatments, config.empty]
    effects = np.zeros((len(names), len(TRAITS)))
    effects[:-1] = _spread_effects(stream(config.seed, "effects"), len(names) - 1)
    if config.mechanisms:
        shared = _spread_effects(stream(config.seed, "mechanisms"), config.mechanisms)
        own = slice(len(controls), -1)
        of_mechanism = shared[np.arange(len(treatments)) % config.mechanisms]
        effects[own] = np.sqrt(1 - MECHANISM_SHARE) * effects[own] + np.sqrt(MECHANISM_SHARE) * of_mechanism
    effects[: len(controls)] *= POSITIVE_CONTROL_FACTOR
    frames = {}
    for cell_type in config.experiments:
        response = 1 + CELL_TYPE_SD * stream(config.seed, "response", cell_type).standard_normal(effects.shape)
        frames[cell_type] = pd.DataFrame(config.strength * effects * response, index=names, columns=list(TRAITS))
    return pd.concat(frames, names=["cell_type", "perturbation"])


def cell_type_traits(config: SimulationConfig, cell_type: str) -> np.ndarray:
    """The traits (traits,) of untreated cells of a type."""
    rng = stream(config.seed, "cell_type", cell_type)
    return 0.5 * rng.choice([-1.0, 1.0], len(TRAITS)) * rng.uniform(0.5, 1.5, len(TRAITS))


@dataclass(frozen=True)
class BatchEffect:
    """What one experiment does to all of its images, alike for every class. C channels, T traits.

    `traits` (T,) is the biology of the day, `gamma` (C,) an exponent, `blur` (C,) in pixels, `bleed` (C, C)
    the share of the column's channel that is seen in the row's, `illumination` (C, 3) two tilts and a
    vignette, `haze` (C,) a share of the defocused image, `noise` (C,) relative to the signal's scale.
    `log_gain` (C,) and `offset` (C,) are affine: standardising each image by itself removes them.
    """

    traits: np.ndarray
    gamma: np.ndarray
    blur: np.ndarray
    bleed: np.ndarray
    illumination: np.ndarray
    haze: np.ndarray
    noise: np.ndarray
    log_gain: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class PlateEffect:
    """A plate's own staining and camera offset by channel, each (C,)."""

    log_gain: np.ndarray
    offset: np.ndarray


def _balanced(rng: np.random.Generator, experiments: int, *shape: int) -> np.ndarray:
    """Uniform quantiles (experiments, *shape), permuted over the experiments in each place by itself.

    Independent draws of a handful of experiments would make one seed's screen much harder than another's.
    """
    quantiles = (np.arange(experiments) + 0.5) / experiments
    spread = np.broadcast_to(quantiles.reshape(-1, *[1] * len(shape)), (experiments, *shape))
    return rng.permuted(spread, axis=0)


def _balanced_normal(rng: np.random.Generator, experiments: int, *shape: int) -> np.ndarray:
    """Normal quantiles, balanced likewise, of mean 0 and sd 1 (0 where there is one experiment)."""
    quantiles = ndtri(_balanced(rng, experiments, *shape))
    # The quantiles of a few experiments have an sd below 1.
    return quantiles / quantiles.std(axis=0) if experiments > 1 else quantiles


def _around_middle(low_high: tuple[float, float], quantiles: np.ndarray, factor: float) -> np.ndarray:
    low, high = low_high
    return np.maximum(0, (low + high) / 2 + factor * (high - low) * (quantiles - 0.5))


def batch_effects(config: SimulationConfig) -> dict[str, BatchEffect]:
    """The batch effect of each experiment, balanced over the experiments of a cell type.

    With `batch_effect: 0` they are all the same: middle blur and noise, and nothing else.
    """
    factor = config.batch_effect
    channels = len(CHANNELS)
    trait_sd = np.array([COUNT_SD if trait == "count" else TRAIT_SD for trait in TRAITS])
    others = 1 - np.eye(channels)
    effects = {}
    for cell_type, n in config.experiments.items():
        rng = stream(config.seed, "batch", cell_type)
        traits = factor * trait_sd * _balanced_normal(rng, n, len(TRAITS))
        gamma = np.exp(factor * GAMMA_SD * _balanced_normal(rng, n, channels))
        blur = _around_middle(BLUR_PX, _balanced(rng, n, channels), factor)
        leaks = _balanced(rng, n, channels, channels) < BLEED_PROBABILITY
        bleed = factor * BLEED_MOST * leaks * others * _balanced(rng, n, channels, channels)
        illumination = factor * ILLUMINATION_SD * _balanced_normal(rng, n, channels, 3)
        haze = factor * HAZE_MOST * _balanced(rng, n, channels)
        noise = _around_middle(NOISE, _balanced(rng, n, channels), factor)
        log_gain = factor * EXPERIMENT_GAIN_SD * _balanced_normal(rng, n, channels)
        offset = factor * EXPERIMENT_OFFSET * -np.log1p(-_balanced(rng, n, channels))
        draws = zip(traits, gamma, blur, bleed, illumination, haze, noise, log_gain, offset, strict=True)
        effects.update({f"{cell_type}-{i:02d}": BatchEffect(*draw) for i, draw in enumerate(draws, start=1)})
    return effects


def plate_effect(config: SimulationConfig, experiment: str, plate: int) -> PlateEffect:
    """The effect of one plate of an experiment; nothing with `batch_effect: 0`."""
    rng = stream(config.seed, "plate", experiment, plate)
    return PlateEffect(
        log_gain=config.batch_effect * PLATE_GAIN_SD * rng.standard_normal(len(CHANNELS)),
        offset=config.batch_effect * PLATE_OFFSET * rng.standard_exponential(len(CHANNELS)),
    )
