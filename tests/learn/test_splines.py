"""Thin-plate splines and crops: what bends and cuts images."""

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import SHARED, make_dealt_trainer
from scipy.interpolate import RBFInterpolator

from debatch.config import Recipe
from debatch.learn import splines
from debatch.learn.crops import cut, random_window
from debatch.learn.splines import random_warps, spline


def ramps(count, height, width):
    """(count, 2, height, width): each pixel's centre, along x and along y, as shares of the image."""
    x, y = torch.meshgrid((torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height, indexing="xy")
    return torch.stack([x, y]).repeat(count, 1, 1, 1)


def test_a_spline_is_scipys():
    generator = torch.Generator().manual_seed(0)
    starts, ends = torch.rand(2, 3, 7, 2, generator=generator, dtype=torch.float64)
    places = torch.rand(20, 2, generator=generator, dtype=torch.float64)
    for found, start, end in zip(spline(starts, ends, places), starts, ends, strict=True):
        expected = RBFInterpolator(start.numpy(), end.numpy(), kernel="thin_plate_spline")(places.numpy())
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_images_are_bent_about_fixed_corners_by_a_tenth_of_their_height(size):
    generator = torch.Generator().manual_seed(0)
    images = ramps(200, *size)
    bent = random_warps(images, 1.0, generator)
    scale = torch.tensor([size[1] / size[0], 1.0])[:, None, None]  # to the height
    moved = (bent - images) * scale
    corner = moved[..., [0, 0, -1, -1], [0, -1, 0, -1]].abs()
    centre = moved[..., size[0] // 2, size[1] // 2]
    # uniform within a tenth: its sd is that of a uniform draw, along both axes
    torch.testing.assert_close(centre.std(0), torch.full((2,), 0.1 / 3**0.5), rtol=0.15, atol=0)
    assert centre.abs().max() < 0.13
    assert corner.max() < 0.03
    assert len(set(centre[:, 0].tolist())) == 200


def test_some_images_are_bent_by_chance_and_the_others_left_as_they_are():
    images = torch.randn(400, 1, 16, 16)
    bent = random_warps(images, 0.25, torch.Generator().manual_seed(0))
    changed = (bent != images).flatten(1).any(1)
    assert 70 < int(changed.sum()) < 130
    again = random_warps(images, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(again, bent)
    assert random_warps(images, 0.0, torch.Generator()) is images


def test_a_spline_that_moves_nothing_changes_nothing(monkeypatch):
    monkeypatch.setattr(splines, "FARTHEST", 1e-9)
    images = torch.randn(4, 3, 40, 56)
    torch.testing.assert_close(random_warps(images, 1.0, torch.Generator().manual_seed(0)), images, atol=1e-3, rtol=0)


def test_crops_of_a_ratio_show_a_share_of_the_area():
    images = ramps(300, 64, 64)
    generator = torch.Generator().manual_seed(0)
    window = random_window(images, (32, 32), (0.8, 1.0), generator, dihedral=False, ratio=(0.9, 1.1))
    (crops,) = cut(images, torch.zeros(300, 2), torch.ones(300, 2), [window])
    wide = (crops[:, 0, 16, -1] - crops[:, 0, 16, 0]) * 32 / 31
    high = (crops[:, 1, -1, 16] - crops[:, 1, 0, 16]) * 32 / 31
    area, ratio = wide * high, wide / high
    assert 0.78 < area.min() < 0.85
    assert area.max() <= 1.01
    assert 0.89 < ratio.min() < 0.95
    assert 1.05 < ratio.max() < 1.12


def test_a_view_is_bent_cropped_and_flipped_left_to_right_alone():
    shown = {}
    for augmentation, probability in (("none", 0.0), ("none", 1.0), ("crop", 0.0)):
        keys = {**SHARED, "augmentation": augmentation, "thin_plate_spline": probability}
        trainer = make_dealt_trainer(Recipe(**keys, objective={"kind": "proxy"}))
        group = next(trainer.images.groups([np.arange(12)]))
        (view,) = trainer.objective.views(group, torch.Generator().manual_seed(0))
        assert view.shape == (12, 3, 32, 32)
        shown[augmentation, probability] = view
    plain = shown["none", 0.0]
    assert not torch.equal(shown["none", 1.0], plain)
    cropped = shown["crop", 0.0]
    # made-up images are striped along y: what is upside down would be as unlike as what is not its own
    rows = [(crop.mean(2).ravel(), whole.mean(2).ravel()) for crop, whole in zip(cropped, plain, strict=True)]
    assert np.mean([torch.corrcoef(torch.stack(pair))[0, 1] for pair in rows]) > 0.3
