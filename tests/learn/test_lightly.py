"""Losses and centres against those of lightly, which other people wrote and use (`oracle` in pyproject.toml)."""

import importlib.util

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from debatch.learn.objectives.self_supervised import Centres, barlow_loss, byol_loss, dino_loss, view_pairs
from debatch.model.timm_import import import_timm

if importlib.util.find_spec("lightly") is None:
    pytest.skip("lightly is not installed: `make setup` brings it", allow_module_level=True)

import_timm()  # makes torchvision importable beside a CPU build of torch
from lightly.loss import BarlowTwinsLoss, DINOLoss, NegativeCosineSimilarity  # noqa: E402

SEEDS = st.integers(0, 10_000)


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(
    SEEDS, st.integers(2, 12), st.integers(2, 64), st.integers(0, 6), st.floats(0.02, 1.0), st.floats(0.05, 1.0),
    st.floats(0, 0.99), st.floats(0.1, 20.0),
)  # fmt: skip
def test_dino_of_three_steps_with_a_centre(seed, n, k, local, teacher_temperature, student_temperature, momentum, size):
    """Two large views and some small ones; gradients too. Ours takes the mean of pairs, theirs of their sum."""
    theirs = DINOLoss(k, teacher_temp=teacher_temperature, student_temp=student_temperature, center_momentum=momentum)
    centres = Centres(k, [1.0], momentum)
    one_centre = torch.zeros(n, dtype=torch.int64)
    for step in range(3):
        teachers = size * (drawn(seed + step, 2, n, k) + 0.5)
        students = (size * drawn(seed + step + 1, 2 + local, n, k)).requires_grad_()
        expected = theirs(list(teachers), list(students), teacher_temp=teacher_temperature)
        centred = [output - centres.of(one_centre) for output in teachers]
        terms = [
            dino_loss(centred[t], students[s], teacher_temperature, student_temperature)
            for t, s in view_pairs(2, 2 + local)
        ]
        loss = torch.stack(terms).mean()
        torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
        gradients = [torch.autograd.grad(value, students)[0] for value in (loss, expected)]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-3)
        for output in teachers:
            centres.note(output, one_centre)
        centres.move(lambda tensor: tensor)
        torch.testing.assert_close(centres.values, theirs.center[0], atol=1e-5, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(3, 40), st.integers(2, 64), st.floats(0.1, 20.0))
def test_barlow(seed, n, k, size):
    """Theirs is a sum with the other entries' weight as its only one: two of those tell our two parts apart."""
    first, second = size * drawn(seed, n, k), (size * drawn(seed, n, k) + drawn(seed + 1, n, k)).requires_grad_()
    diagonal = BarlowTwinsLoss(lambda_param=0.0)(first, second)
    others = BarlowTwinsLoss(lambda_param=1.0)(first, second) - diagonal
    expected = (0.05 * diagonal / k + 0.95 * others / (k * (k - 1))) / (0.05 + 0.95 * 0.01)
    loss = barlow_loss(first, second)
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-3)
    gradients = [torch.autograd.grad(value, second, retain_graph=True)[0] for value in (loss, expected)]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-3)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(2, 64), st.floats(0.01, 100.0))
def test_byol(seed, n, d, size):
    predicted, target = (size * drawn(seed, n, d)).requires_grad_(), drawn(seed + 1, n, d)
    expected = 2 + 2 * NegativeCosineSimilarity()(predicted, target)
    loss = byol_loss(predicted, target)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(loss, functional.mse_loss(
        functional.normalize(predicted, dim=1), functional.normalize(target, dim=1), reduction="sum") / n,
        atol=1e-4, rtol=1e-3,
    )  # fmt: skip
