"""Image files, whole, cut off and broken: their own pixels, or a reason why not."""

import contextlib

import numpy as np
from helpers.fuzz import examples
from helpers.odd_images import TIFFS, ome, palette, pixels, png, tiff
from hypothesis import given
from hypothesis import strategies as st

from debatch.screen.ingest.decode import GREY, ImageProblem, decode, decode_channels, plane_names, truncation

SHAPES = st.sampled_from([(20, 20), (17, 23), (40, 12), (1, 1), (1, 30), (300, 5)])
DTYPES = st.sampled_from(["uint8", "uint8", "uint16", "uint16", "int16", "float32", "uint32"])


@st.composite
def files(draw):
    """(suffix, bytes)."""
    shape, dtype, seed = draw(SHAPES), draw(DTYPES), draw(st.integers(0, 3))
    values = pixels(shape, dtype, seed)
    kind = draw(st.sampled_from(["png", "tif", "tif", "tif", "palette", "ome", "pages"]))
    if kind == "png":
        form = draw(st.sampled_from(["grey", "grey", "colour", "alpha", "palette", "one_bit"]))
        return ".png", png(values if dtype in ("uint8", "uint16") else pixels(shape, "uint8", seed), form)
    if kind == "palette":
        return ".tif", palette(pixels(shape, "uint8", seed), draw(st.booleans()))
    if kind == "ome":
        axes = draw(st.sampled_from(["CYX", "ZYX", "TYX"]))
        return ".ome.tif", ome(np.stack([values, values]), draw(st.none() | st.just(["DNA", "ER"])), axes)
    if kind == "pages":
        return ".tiff", tiff(values, pages=draw(st.integers(2, 3)))
    name = draw(st.sampled_from(sorted(TIFFS)))
    if name == "jpeg":
        values = pixels(shape, "uint8", seed)
    if name == "jpeg2000" and dtype in ("float32", "uint32", "int16"):
        values = pixels(shape, "uint16", seed)
    if name == "predictor" and dtype == "float32":
        values = pixels(shape, "uint16", seed)
    return ".tif", tiff(values, **TIFFS[name], bigtiff=draw(st.booleans()))


def read(path):
    """What is read of a file: its pixels by each of the ways; None where it is refused."""
    found, reasons = [], []
    for way in (
        lambda: [decode(path)],
        lambda: decode_channels(path, ["1", "2"])[0],
        lambda: decode_channels(path, ["1"])[0],
    ):
        try:
            found.append(way())
        except ImageProblem as problem:
            reasons.append(problem.problem)
            found.append(None)
    assert all(0 < len(reason.strip()) < 400 for reason in reasons)
    with contextlib.suppress(ImageProblem):
        assert plane_names(path)
    for planes in found:
        for plane in planes or []:
            assert plane.ndim == 2
            assert plane.size
            assert plane.dtype in GREY
    return found


@examples(0.07)
@given(file=files(), cut=st.floats(0, 1), mutated=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3))
def test_no_file_ends_in_anything_but_planes_or_a_reason(tmp_path, file, cut, mutated):
    suffix, content = file
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    whole = read(path)
    if any(planes is not None for planes in whole):
        assert truncation(path) == ""
    short = content[: int(cut * len(content))]
    path.write_bytes(short)
    for before, after in zip(whole, read(path), strict=True):
        assert after is None or (before is not None and all(map(np.array_equal, before, after))), (
            "pixels that were not there"
        )
    if len(short) < len(content):
        truncation(path)
    for where, byte in mutated:
        at = int(where * (len(content) - 1))
        content = content[:at] + bytes([byte]) + content[at + 1 :]
    path.write_bytes(content)
    read(path)
    truncation(path)
