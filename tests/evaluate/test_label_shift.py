import numpy as np
import pytest

from debatch.evaluate.label_shift import label_shift


def test_by_hand():
    shift = label_shift(np.array([0, 0, 1, 1, 0, 1]), np.array(list("aabbcc")), np.array([0, 1, 0, 1])).set_index(
        "batch"
    )
    assert shift["total_variation"].to_dict() == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert shift["classes"].to_dict() == {"a": 1, "b": 1, "c": 2}
    assert label_shift(np.array([2]), np.array(["a"]), np.array([0, 1]))["total_variation"][0] == pytest.approx(1)
