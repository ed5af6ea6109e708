"""Which methods the page calls worse than the best of them."""

import pytest

from debatch.report.cells import Cell
from debatch.report.page.prediction_findings import _worse


@pytest.mark.parametrize(("worst", "told"), [(0.5, False), (1.9, False), (2.1, True), (-1.0, False)])
def test_of_too_few_batches_for_a_test_a_small_difference_tells_nothing(worst, told):
    """The best is chosen among all, and one of two alike methods is ahead on four batches by chance once in eight."""
    difference = Cell(mean=worst + 1, low=worst, high=worst + 2, is_range=True)
    assert set(_worse("adabn_gradient_reversal", {"adabn": difference})) == ({"adabn"} if told else set())
