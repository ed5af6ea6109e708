"""Draws fields of fluorescent cells: six channels, as they would look to a perfect microscope."""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from debatch.config.simulation import CHANNELS
from debatch.screen.simulate.effects import TRAITS, stream

WINDOW = 44  # px, wide enough for the longest cell
MARGIN = 2  # px by which a cell's centre may lie outside the image
PAD = WINDOW // 2 + MARGIN

CELL_SD = 0.2
CELLS = (2, 8, 18)  # fewest, mean and most cells in a field of 64 x 64 px
CROWDING_CANDIDATES = 5
FIELDS = 24
FIELD_SIZE = 192
NUCLEOLI_MOST = 5
GOLGI_BLOBS = 4
FIBRE_PERIOD = 5.0


@cache
def _texture_bank(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fine and coarse noise fields (FIELDS, FIELD_SIZE, FIELD_SIZE) of mean 0 and sd 1, one bank a screen.

    Cells take random crops of them: filtering noise for each cell would cost more than all the rest.
    """
    noise = stream(seed, "textures").standard_normal((2, FIELDS, FIELD_SIZE, FIELD_SIZE)).astype(np.float32)
    bands = []
    for fields, (inner, outer) in zip(noise, ((0.7, 1.5), (1.8, 3.5)), strict=True):
        low, high = (gaussian_filter(fields, sigma, mode="wrap", axes=(1, 2)) for sigma in (inner, outer))
        band = low - high
        bands.append(band / band.std())
    return bands[0], bands[1]


def _crops(fields: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, WINDOW, WINDOW) random windows of random fields."""
    windows = sliding_window_view(fields, (WINDOW, WINDOW), axis=(1, 2))
    field, y, x = (rng.integers(0, size, n) for size in windows.shape[:3])
    return windows[field, y, x]


def draw_cell_counts(count_trait: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The number of cells (N,) in each field, for its `count` trait (N,); a larger field has more of them."""
    area = (size[0] / 64) * (size[1] / 64)
    fewest, mean, most = CELLS
    expected = mean * area * np.exp(np.clip(0.4 * count_trait, -1.2, 0.8))
    return np.clip(rng.poisson(expected), fewest, max(fewest, round(most * area)))


def draw_centres(counts: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Centres (N, most cells, 2) in image pixels, y and x, spread as cells on a plate are.

    Each cell takes the candidate that is furthest from the cells before it. What lies beyond a field's count
    is unused.
    """
    most = int(counts.max())
    candidates = rng.uniform(-MARGIN, np.array(size) + MARGIN, (len(counts), most, CROWDING_CANDIDATES, 2))
    centres = np.empty((len(counts), most, 2))
    centres[:, 0] = candidates[:, 0, 0]
    rows = np.arange(len(counts))
    for k in range(1, most):
        gaps = candidates[:, k, :, None] - centres[:, None, :k]
        nearest = np.einsum("ncko,ncko->nck", gaps, gaps).min(axis=2)
        centres[:, k] = candidates[rows, k, nearest.argmax(axis=1)]
    return centres


def _spots(
    y: np.ndarray, x: np.ndarray, sigma: np.ndarray, weights: np.ndarray, dy: np.ndarray, dx: np.ndarray
) -> np.ndarray:
    """Sums of round Gaussian spots.

    Args:
        y: (n, spots) places from the cell's centre in pixels.
        x: Likewise.
        sigma: (n, 1) sizes in pixels.
        weights: (n, spots) heights.
        dy: (n, WINDOW) distances of the window's rows from the centre.
        dx: Likewise of its columns.

    Returns:
        (n, WINDOW, WINDOW)
    """
    rows = np.exp(-0.5 * ((dy[:, None] - y[..., None]) / sigma[..., None]) ** 2)
    columns = np.exp(-0.5 * ((dx[:, None] - x[..., None]) / sigma[..., None]) ** 2)
    return (weights[..., None] * rows).transpose(0, 2, 1) @ columns


def _draw_windows(
    traits: np.ndarray,
    fraction: np.ndarray,
    bank: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """One cell each in the middle of its window.

    Args:
        traits: (n, T) of the cells.
        fraction: (n, 2) part of the centre's position below a whole pixel, y and x.
        bank: Fine and coarse noise fields.
        rng: For all that traits leave open.

    Returns:
        (n, C, WINDOW, WINDOW) float32
    """
    n = len(traits)
    z = {trait: traits[:, i, None, None] for i, trait in enumerate(TRAITS)}
    fine, coarse = bank

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (n, *shape)).astype(np.float32)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((n, *shape), dtype=np.float32)

    offsets = np.arange(WINDOW, dtype=np.float32) - WINDOW // 2
    dy = offsets - fraction[:, :1]
    dx = offsets - fraction[:, 1:]
    angle = uniform(0, np.pi, 1, 1)
    cos, sin = np.cos(angle), np.sin(angle)
    along = cos * dx[:, None, :] + sin * dy[:, :, None]
    across = cos * dy[:, :, None] - sin * dx[:, None, :]

    # The body, whose ends must stay inside the window, and the nucleus, which must stay inside the body.
    size = 8.5 * np.exp(0.18 * z["cell_size"])
    stretch = np.sqrt(np.exp(0.16 * np.exp(0.6 * z["cell_elong"])))
    wobble = np.minimum(0.12 * np.exp(0.8 * z["wobble"]), 0.4)
    longest = (WINDOW / 2 - 0.5) / (1.12 * (1 + wobble))
    length, width = np.minimum(size * stretch, longest), np.minimum(size / stretch, longest)
    nucleus_size = np.minimum(3.9 * np.exp(0.17 * z["nuc_size"]), 0.85 * width)
    nucleus_stretch = np.sqrt(np.exp(0.12 * np.exp(0.7 * z["nuc_ecc"])))
    u, v = along / length, across / width
    radius = np.sqrt(u * u + v * v) + 1e-6
    phase = uniform(0, 2 * np.pi, 1, 1)
    c, s = u / radius, v / radius
    lobes = np.cos(phase) * c * (4 * c * c - 3) - np.sin(phase) * s * (3 - 4 * s * s)
    radius = radius / (1 + wobble * lobes)
    nuclear_length, nuclear_width = nucleus_size * nucleus_stretch, nucleus_size / nucleus_stretch
    nuclear_radius = np.sqrt((along / nuclear_length) ** 2 + (across / nuclear_width) ** 2)
    nucleus = expit(10 * (1 - nuclear_radius))
    body = expit(9 * (1 - radius))
    cytoplasm = body * (1 - nucleus)

    def to_window(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (n, spots) along and across the cell to rows and columns."""
        return sin[..., 0] * a + cos[..., 0] * b, cos[..., 0] * a - sin[..., 0] * b

    chromatin = 0.18 * np.exp(0.7 * z["chrom"]) * _crops(fine, n, rng)
    dna = nucleus * np.maximum(0.6 + chromatin, 0.05)

    fall = np.exp(-1.1 * np.exp(0.4 * z["er_fall"]) * np.maximum(nuclear_radius - 1, 0))
    reticulum = np.maximum(1 + 0.3 * np.exp(0.7 * z["er_tex"]) * _crops(coarse, n, rng), 0)
    er = (cytoplasm + 0.15 * nucleus) * fall * reticulum

    edge = np.exp(-0.5 * ((radius - 0.93) / 0.085) ** 2)
    fan = across * (1 + uniform(-0.25, 0.25, 1, 1) * u)
    bundles = np.sin(2 * np.pi / FIBRE_PERIOD * fan + uniform(0, 2 * np.pi, 1, 1))
    fibres = np.minimum(0.25 * np.exp(0.7 * z["fibre"]), 1.0) * np.maximum(bundles, 0)
    actin = 0.55 * np.exp(0.4 * z["ring"]) * edge + body * (0.12 + fibres)

    number = np.clip(np.round(2.2 * np.exp(0.45 * z["ncl_num"][..., 0]) + uniform(-0.5, 0.5, 1)), 1, NUCLEOLI_MOST)
    present = (np.arange(NUCLEOLI_MOST) < number).astype(np.float32)
    out, turn = 0.68 * np.sqrt(uniform(0.05, 1, NUCLEOLI_MOST)), uniform(0, 2 * np.pi, 1)
    turn = turn + (np.arange(NUCLEOLI_MOST) + uniform(-0.3, 0.3, NUCLEOLI_MOST)) * 2 * np.pi / number
    places = to_window(out * np.cos(turn) * nuclear_length[..., 0], out * np.sin(turn) * nuclear_width[..., 0])
    nucleoli_size = 0.85 * np.exp(0.25 * z["ncl_size"][..., 0])
    nucleoli = nucleus * _spots(*places, nucleoli_size, 0.8 * present, dy, dx)
    rna = 0.22 * np.exp(0.4 * z["rna_cyt"]) * cytoplasm + 0.15 * nucleus + nucleoli

    annulus = np.exp(-0.5 * ((radius - (0.5 + 0.15 * z["mito_rad"])) / 0.19) ** 2) * body * (1 - 0.8 * nucleus)
    coarseness = expit(2 * z["mito_tex"])
    threads = (1 - coarseness) * _crops(fine, n, rng) + coarseness * _crops(coarse, n, rng)
    mito = annulus * np.maximum(0.55 + 0.5 * threads, 0)

    spread = np.minimum(0.35 * np.exp(0.7 * z["golgi_disp"][..., 0]), np.pi)
    where = uniform(0, 2 * np.pi, 1) + spread * normal(GOLGI_BLOBS)
    far = 1.25 * np.exp(0.25 * z["golgi_dist"][..., 0]) + 0.08 * normal(GOLGI_BLOBS)
    places = to_window(far * np.cos(where) * nuclear_length[..., 0], far * np.sin(where) * nuclear_width[..., 0])
    heights = uniform(0.45, 0.75, GOLGI_BLOBS)
    blobs = _spots(*places, np.full((n, 1), 1.1, np.float32), heights, dy, dx)
    golgi = body * (0.08 + blobs) + 0.22 * edge

    return np.stack([dna, er, actin, rna, mito, golgi], axis=1).astype(np.float32)


def draw_fields(traits: np.ndarray, size: tuple[int, int], seed: int, rng: np.random.Generator) -> np.ndarray:
    """Fields of cells.

    Args:
        traits: (N, T) of the images; each cell deviates a little from its image's.
        size: Height H and width W of the image.
        seed: The screen's, for textures.
        rng: For everything else.

    Returns:
        (N, C, H + 2 PAD, W + 2 PAD) float32: the image and, around it, what lies just out of view.
    """
    counts = draw_cell_counts(traits[:, TRAITS.index("count")], size, rng)
    centres = draw_centres(counts, size, rng) + PAD
    height, width = (side + 2 * PAD for side in size)
    canvas = np.zeros((len(traits), len(CHANNELS), height, width), dtype=np.float32)
    bank = _texture_bank(seed)
    for k in range(centres.shape[1]):
        rows = np.flatnonzero(counts > k)
        corner = np.floor(centres[rows, k]).astype(int)
        fraction = (centres[rows, k] - corner).astype(np.float32)
        own = traits[rows] + CELL_SD * rng.standard_normal((len(rows), len(TRAITS)))
        windows = _draw_windows(own.astype(np.float32), fraction, bank, rng)
        for row, (y, x), window in zip(rows, corner - WINDOW // 2, windows, strict=True):
            place = canvas[row, :, y : y + WINDOW, x : x + WINDOW]
            # The brighter wins, as one cell lies on the other; a sum would make overlaps glow.
            np.maximum(place, window, out=place)
    return canvas
