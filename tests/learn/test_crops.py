"""Random crops: each pixel of a view is the mean of what it covers, wherever the view stands."""

import pytest
import torch
from helpers.tiny_trainer import SHARED, files, make_trainer
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from debatch.config import Recipe
from debatch.errors import ConfigError, DataError
from debatch.learn.crops import TABLE_BYTES, cut, random_window


def crops(images, size, scale, seed=1, dihedral=False):
    """Of images that are standardised already."""
    count, channels = images.shape[:2]
    window = random_window(images, size, scale, torch.Generator().manual_seed(seed), dihedral)
    (views,) = cut(images, torch.zeros(count, channels), torch.ones(count, channels), [window])
    return views


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def checkerboard(side, cell):
    """(side, side) of cells of 0 and 1."""
    at = torch.arange(side) // cell
    return ((at[:, None] + at) % 2).float()


@pytest.mark.parametrize("shape", [(16, 16), (24, 17)])
def test_the_largest_crop_without_turns_is_the_image(shape):
    images = noise(3, 2, *shape)
    torch.testing.assert_close(crops(images, shape, (1.0, 1.0)), images, atol=1e-5, rtol=0)


def test_turns_move_pixels_and_change_none():
    images = noise(3, 2, 16, 16)
    found = {tuple(crops(images[:1], (16, 16), (1.0, 1.0), seed, True).flatten().tolist()) for seed in range(60)}
    assert len(found) == 8
    for turned in map(torch.tensor, found):
        torch.testing.assert_close(turned.sort().values, images[0].flatten().sort().values, atol=1e-5, rtol=0)
    flipped = [crops(noise(40, 1, 8, 12), (8, 12), (1.0, 1.0), 2, True), noise(40, 1, 8, 12)]
    rows = [torch.stack([image, image.flip(-1), image.flip(-2), image.flip((-1, -2))]) for image in flipped[1]]
    for crop, forms in zip(flipped[0], rows, strict=True):  # not square: no quarter turn
        assert (crop - forms).abs().amax((1, 2, 3)).min() < 1e-5


def test_a_crop_shows_its_share_of_the_image_in_many_places():
    ramp_of_columns = torch.arange(64.0).expand(40, 1, 64, 64).contiguous()
    found = crops(ramp_of_columns, (16, 16), (0.25, 0.25), 2)
    assert found.shape == (40, 1, 16, 16)
    spans = found[:, 0, 0, -1] - found[:, 0, 0, 0]
    torch.testing.assert_close(spans, torch.full((40,), 30.0), atol=1e-3, rtol=0)  # half of 64, between pixel centres
    assert float(found.min()) >= 0
    assert float(found.max()) <= 63
    assert float(found[:, 0, 0, 0].std()) > 3


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 8), st.floats(0.05, 1.0), st.integers(0, 999))
def test_a_pixel_of_a_view_is_the_mean_of_what_it_covers_whatever_stands_beside_it(height, width, rows, low, seed):
    """Large squares and small ones in one group, against the mean of many samples of each pixel of the view."""
    columns, samples = max(1, round(width * rows / height)), 200
    assume(columns <= width and abs(height * columns - width * rows) < max(height, width))
    images = noise(3, 1, height, width)
    found = crops(images, (rows, columns), (low, 1.0), seed)
    generator = torch.Generator().manual_seed(seed)  # the same draws, in the same order
    sides = (low + (1 - low) * torch.rand(3, generator=generator)).sqrt()
    starts = (1 - sides[:, None]) * torch.rand(3, 2, generator=generator)
    for crop, image, side, (left, top) in zip(found, images, sides, starts, strict=True):
        down, across = (
            ((start + side * (torch.arange(n * samples) + 0.5) / (n * samples)) * extent).long()
            for start, n, extent in ((top, rows, height), (left, columns, width))
        )
        torch.testing.assert_close(
            crop, functional.avg_pool2d(image[:, down][:, :, across], samples), atol=0.03, rtol=0
        )


@pytest.mark.parametrize(("side", "size", "cell"), [(64, 40, 1), (96, 32, 1), (96, 32, 2), (224, 112, 1)])
def test_what_is_too_fine_for_a_small_view_is_grey_in_it(side, size, cell):
    """The 1.0 between its cells would come back as coarse stripes if pixels were stepped over."""
    board = checkerboard(side, cell).expand(24, 1, side, side).contiguous()
    found = crops(board, (size, size), (0.9, 1.0))
    assert float(found.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(found.std((2, 3)).max()) < 0.2
    coarse = functional.avg_pool2d(found, 4)
    assert float(coarse.std((2, 3)).max()) < 0.03


def test_crops_are_standardised_by_their_images_statistics_and_16_bits_lose_nothing():
    images = torch.randint(0, 65536, (3, 2, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    means, sds = torch.rand(3, 2) * 1000, 1 + torch.rand(3, 2) * 1000
    window = random_window(images, (32, 32), (1.0, 1.0), torch.Generator(), False)
    (whole,) = cut(images, means, sds, [window])
    expected = (images - means[:, :, None, None]) / sds[:, :, None, None]
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-5)
    assert whole.dtype == torch.float32
    assert whole.is_contiguous(memory_format=torch.channels_last)


def test_a_view_with_as_many_pixels_as_its_window_is_made_of_stored_pixels():
    images = noise(40, 2, 32, 32)
    views = crops(images, (24, 24), (0.5625, 0.5625), dihedral=True)
    known = [set(image.flatten().tolist()) for image in images]
    found = [
        {min(own, key=lambda value: abs(value - pixel)) - pixel for pixel in view.flatten().tolist()[::37]}
        for own, view in zip(known, views.double(), strict=True)
    ]
    assert max(abs(apart) for own in found for apart in own) < 1e-5
    places = {
        round(float(view[0, 0, 0]), 4) for view in crops(images[:1].expand(40, -1, -1, -1), (24, 24), (0.5625, 0.5625))
    }
    assert len(places) > 20  # of 81
    # a window of any other size stands between pixels
    finer = crops(images, (16, 16), (0.5625, 0.5625))
    assert abs(float(finer.std()) - 1) > 0.1


def test_many_views_of_a_few_images_at_a_time_are_those_of_all_at_once(monkeypatch):
    images, generator = noise(7, 2, 24, 24), torch.Generator().manual_seed(0)
    windows = [random_window(images, size, (0.2, 1.0), generator) for size in ((24, 24), (12, 12), (12, 12))]
    statistics = noise(7, 2), 1 + noise(7, 2).abs()
    together = cut(images, *statistics, windows)
    monkeypatch.setitem(TABLE_BYTES, "cpu", 3 * 2 * 24 * 24 * 8)
    for one, other in zip(cut(images, *statistics, windows), together, strict=True):
        assert torch.equal(one, other)
        assert one.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((32, 32), r"views of 32 x 32 pixels .* stored images of 24 x 16, which are smaller: lower `pixels`"),
        ((12, 12), r"would stretch them: .* as in \[12, 8\]"),
    ],
)
def test_a_view_that_is_larger_than_the_image_or_of_another_shape_is_refused(size, said):
    with pytest.raises(DataError, match=said):
        crops(noise(2, 1, 24, 16), size, (0.5, 1.0))


@pytest.mark.parametrize("kind", ["dino", "byol"])
def test_a_run_on_images_smaller_than_its_views_says_so(tmp_path, kind):
    recipe = Recipe(**{**SHARED, "pixels": 64}, objective={"kind": kind})
    with pytest.raises(DataError, match=r"views of 64 x 64 pixels .* 32 x 32, which are smaller: lower `pixels`"):
        make_trainer(recipe).fit(files(tmp_path))


TRANSFORMER = {**SHARED, "backbone": "vit_tiny_patch16_224", "objective": {"kind": "dino", "prototypes": 8}}


def test_a_transformer_takes_small_views_beside_large_ones(tmp_path):
    made = make_trainer(Recipe(**{**TRANSFORMER, "epochs": 1}))
    assert made.objective.local_size == (16, 16)
    assert len(made.fit(files(tmp_path))) == 1


@pytest.mark.parametrize("objective", [{"kind": "dino"}, {"kind": "byol", "view_pixels": 16}])
def test_a_network_of_one_size_is_refused_views_of_another(objective):
    recipe = Recipe(**{**TRANSFORMER, "backbone": "vit_relpos_small_patch16_224", "objective": objective})
    with pytest.raises(
        ConfigError, match=r"'vit_relpos_small_patch16_224' does not take views of 16 x 16 pixels .*_pixels"
    ):
        make_trainer(recipe)
