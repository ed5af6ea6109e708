import pytest
from helpers.images import make_index

from debatch.config import Screen
from debatch.screen.nouns import EITHER, FIELD, IMAGE, TILE, field_noun, fields_of, noun_of_rows, stored_noun

SOURCE = {
    "source": {"root": "x", "pattern": "{experiment}/{plate}/{well}_{site}_{channel}.png", "channels": {"a": "A"}}
}


def screen(**image):
    return Screen(**SOURCE, experiments=["E"], image=image)


def of_parts(*tiles):
    parts = {f"P{n}": {**SOURCE, "experiments": [f"E{n}"], "image": {"tiles": own}} for n, own in enumerate(tiles)}
    return Screen(parts=parts)


def test_cut_fields_are_tiles():
    assert (stored_noun(screen()), field_noun(screen())) == (IMAGE, IMAGE)
    assert (stored_noun(screen(tiles=4)), field_noun(screen(tiles=4))) == (TILE, FIELD)
    assert stored_noun(of_parts(2, 4)) == TILE
    assert stored_noun(of_parts(1, 4)) == EITHER


def test_rows_of_the_index_are_told_by_their_sites():
    index = make_index(2, 4, sites=2)
    assert (noun_of_rows(index), fields_of(index)) == (IMAGE, 16)
    tiles = index.assign(site=[f"{1 + n % 2}.{1 + n % 4:02d}" for n in range(len(index))])
    assert (noun_of_rows(tiles), fields_of(tiles)) == (TILE, 16)
    assert fields_of(index.assign(site=[f"1.{n:02d}" for n in range(len(index))])) == 8


def test_counts():
    assert (TILE.count(1), TILE.count(1024), IMAGE.count(0)) == ("1 tile", "1,024 tiles", "0 images")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("share of images (one a well)", "share of tiles (one a well)"),
        ("An image of the batch, images.", "A tile of the batch, tiles."),
        ("No image; Images", "No tile; Tiles"),
        ("see `image.crop` and images.parquet", "see `image.crop` and images.parquet"),
        ("every number comes from simulated images", "every number comes from simulated images"),
        ("12 images/s", "12 images/s"),
    ],
)
def test_a_text_speaks_of_tiles(text, expected):
    assert TILE.said(text) == expected
    assert IMAGE.said(text) == text
