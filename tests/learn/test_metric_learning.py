"""Losses of labels and pairs against those of pytorch-metric-learning, which other people wrote and use (`oracle`)."""

import importlib.util

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from debatch.learn.objectives.supcon import contrastive_loss
from debatch.model.proxies import proxy_loss
from debatch.model.timm_import import import_timm

if importlib.util.find_spec("pytorch_metric_learning") is None:
    pytest.skip("pytorch-metric-learning is not installed: `make setup` brings it", allow_module_level=True)

import_timm()  # makes torchvision importable beside a CPU build of torch
from pytorch_metric_learning.losses import NTXentLoss, ProxyNCALoss, SupConLoss  # noqa: E402

SEEDS = st.integers(0, 10_000)
# below 0.05 its exponentials of float32 differ from ours by more than rounding
TEMPERATURES = st.floats(0.05, 2.0)


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(2, 10), st.integers(2, 32), TEMPERATURES, st.floats(0.1, 20.0))
def test_proxies_and_their_gradients(seed, n, classes, width, temperature, length):
    """ProxyNCA++: the own class's proxy is among those that are summed."""
    labels = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))
    theirs = ProxyNCALoss(classes, width, softmax_scale=1 / temperature)
    ours = [(length * drawn(seed, n, width)).requires_grad_(), drawn(seed + 1, classes, width).requires_grad_()]
    others = [one.detach().clone().requires_grad_() for one in ours]
    theirs.proxies = torch.nn.Parameter(others[1])
    expected, found = theirs(others[0], labels), proxy_loss(*ours, labels, temperature)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    expected.backward()
    found.backward()
    torch.testing.assert_close(ours[0].grad, others[0].grad, rtol=2e-2, atol=1e-3)
    torch.testing.assert_close(ours[1].grad, theirs.proxies.grad, rtol=2e-2, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 12), st.integers(2, 32), TEMPERATURES)
def test_pairs_of_views(seed, n, width, temperature):
    """NT-Xent: each view's pair is the other view of the same image."""
    views, images = drawn(seed, 2 * n, width), torch.arange(n).repeat(2)
    expected = NTXentLoss(temperature=temperature)(views, images)
    torch.testing.assert_close(contrastive_loss(views, images, temperature), expected, rtol=1e-3, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 12), st.integers(2, 6), st.integers(2, 32), TEMPERATURES)
def test_supervised_pairs(seed, n, classes, width, temperature):
    """SupCon: the mean over all images of the class is outside the logarithm. Theirs is 0 where there is one class."""
    labels = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed)).repeat(2)
    assume(len(labels.unique()) > 1)
    views = drawn(seed, 2 * n, width)
    expected = SupConLoss(temperature=temperature)(views, labels)
    torch.testing.assert_close(contrastive_loss(views, labels, temperature), expected, rtol=1e-3, atol=1e-4)
