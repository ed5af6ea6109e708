import subprocess
import sys

import numpy as np
import pytest

import debatch.evaluate
from debatch.evaluate import znorm
from debatch.evaluate.replicates.cosine import BINS, kolmogorov_smirnov, wasserstein

WIDTH = 16  # [-1, 1] stands for [-16, 16]


def histogram(values, weights=None):
    """Whole numbers lie on the edges of bins, and so do not move."""
    places = (np.asarray(values) + WIDTH) * BINS // (2 * WIDTH)
    return np.bincount(places, weights, minlength=BINS)


def test_all_that_is_promised_is_there():
    for name in debatch.evaluate.__all__:
        assert callable(getattr(debatch.evaluate, name)), name
    with pytest.raises(AttributeError, match="no attribute 'kbett'"):
        _ = debatch.evaluate.kbett


def test_import_waits_for_nothing_heavy():
    heavy = ["sklearn", "scipy.stats", "copairs", "torch"]
    program = f"import sys, debatch.evaluate; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_znorm_of_pycytominer():
    """pycytominer 1.7.1: 1 to 6, the first three of them controls."""
    values = znorm(np.arange(1.0, 7)[:, None], np.zeros(6), np.arange(6) < 3).ravel()
    np.testing.assert_allclose(values, [-1.224745, 0, 1.224745, 2.449490, 3.674235, 4.898979], atol=1e-5)


def test_distances_of_scipy():
    assert wasserstein(histogram([0, 1, 3]), histogram([5, 6, 8])) * WIDTH == pytest.approx(5.0)
    assert wasserstein(histogram([0, 1], [3, 1]), histogram([0, 1], [2, 2])) * WIDTH == pytest.approx(0.25)
    assert kolmogorov_smirnov(histogram([1, 2, 3, 4]), histogram([3, 4, 5, 6])) == pytest.approx(0.5)
