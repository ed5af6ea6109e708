"""Folders of images as people leave them: every file is in a field or listed, and `check` says what ingestion will."""

import contextlib
import errno
import os
import shutil
import tempfile
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.fuzz import examples, of_user, one_line
from helpers.odd_images import ome, palette, pixels, png, tiff
from hypothesis import given
from hypothesis import strategies as st

from debatch.cli.check_text import check_lines
from debatch.config import Screen
from debatch.config.images import ImageProcessing, Source, Store
from debatch.config.metadata import Columns, Metadata
from debatch.screen.index import build_index
from debatch.screen.ingest.check import check_screen
from debatch.screen.ingest.experiment import ingest_experiment
from debatch.screen.ingest.plan import Problems, plan_fields
from debatch.screen.ingest.source import find_files, read_patterns
from debatch.screen.metadata import read_catalogue
from debatch.tabular import write_frame

EXPERIMENTS = ["E-1", "E-2"]
FOLDERS = st.sampled_from(
    [*("E-1", "E-1", "E-2", "other", "E-1 copy", "e-1", ".hidden", "E-1/old", "", b"\xff", "Plate1"), "E-1\n", "thumbs"]
)
PLATES = st.sampled_from(
    ["Plate1", "Plate1", "Plate01", "Plate2", "plate1", "PlateX", "Plate1/more", ".thumbs", "", "Plate\u0661"]
)
NAMES = st.sampled_from(
    [
        *(
            "B02_s1_w1.png",
            "B02_s1_w2.png",
            "B02_s1_w1.png",
            "B02_s1_w2.png",
            "b2_s1_w1.PNG",
            "B02_s01_w1.png",
            "B02_s2_w1.png",
        ),
        *(
            "B03_s1_w1.png",
            "B03_s1_w2.png",
            "B03_s1_w3.png",
            "B99_s1_w1.png",
            "B02_w1.png",
            "B02_s1_w1 (1).png",
            "B02_s1_w1_thumb.png",
        ),
        *(
            "B02_s1_w1.jpg",
            ".B02_s1_w1.png",
            "._B02_s1_w1.png",
            "Thumbs.db",
            "notes.txt",
            "B02_sx_w1.png",
            "C04_s1_w1.png",
            "x.png",
        ),
        *(
            "B02_s\u0661_w1.png",
            "B02 _s1_w1.png",
            b"B02_s1_w1\xff.png",
            b"\xe4.txt",
            "B02_s1_w1\n.png",
            "B02_s1_w.png",
            "1e3_s1_w1.png",
        ),
    ]
)
KINDS = st.sampled_from(["file"] * 12 + ["empty", "link", "broken link", "loop", "folder link", "self"])
PATTERN = "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png"
FLAT = {"pattern": "Plate{plate:d}/{well}_s{site:d}_w{channel}.png", "fields": {"experiment": "E-1"}}
SMALL = png(pixels())


@pytest.fixture
def refused(monkeypatch):
    """Folders that cannot be listed: tests may run as one who may list all."""
    folders, scandir = set(), os.scandir

    def guarded(path="."):
        if not isinstance(path, int) and os.fsencode(path) in folders:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    return folders


def join(*parts):
    return b"/".join(os.fsencode(part) for part in parts if part)


def write(root, entry, number):
    """One entry of a tree, where nothing else stands yet."""
    folder, plate, name, kind = entry
    where = join(os.fsencode(root), folder, plate)
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        os.makedirs(where, exist_ok=True)
        path = join(where, name)
        if kind == "folder link":
            os.symlink(join(os.fsencode(root), "E-1"), join(where, f"link{number}"))
        elif kind == "loop":
            os.symlink(os.fsencode(root), join(where, f"loop{number}"))
        elif kind == "self":
            os.symlink(f"self{number}.png", join(where, f"self{number}.png"))
        elif kind in ("link", "broken link"):
            target = os.fsencode(root) + (b"/target.bin" if kind == "link" else b"/gone.png")
            if kind == "link":
                Path(os.fsdecode(target)).write_bytes(SMALL)
            os.symlink(target, path)
        elif not os.path.lexists(path):
            with open(path, "wb") as out:
                out.write(b"" if kind == "empty" else SMALL)


def visible(root, ignore):
    """Every path to a file below a folder: links are followed, but never to a folder that one is in already."""
    found, unlisted = [], []

    def visit(place, above):
        real = os.path.realpath(place)
        if real in above:
            return
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            unlisted.append(place)
            return
        for entry in listed:
            relative = os.path.relpath(entry.path, root)
            if os.path.isdir(entry.path):
                visit(entry.path, {*above, real})
            elif not entry.name.startswith(".") and not any(fnmatch(relative, glob) for glob in ignore):
                found.append(entry.path)

    visit(str(root), set())
    return found, unlisted


def catalogue(path, wells=(("E-1", "1", "B02"), ("E-1", "1", "B03"), ("E-1", "2", "B02"), ("E-2", "1", "B02"))):
    rows = [(e, plate, well, f"T{at % 2}") for at, (e, plate, well) in enumerate(wells)]
    pd.DataFrame(rows, columns=["experiment", "plate", "well", "perturbation"]).to_csv(path, index=False)


def screen_of(root, source=None, **changes):
    return Screen(
        **{
            "source": Source(
                **{"root": str(root), "pattern": PATTERN, "channels": {"1": "DNA", "2": "ER"}, **(source or {})}
            ),
            "metadata": Metadata(file=str(Path(root).parent / "wells.csv")),
            "columns": Columns(cell_type=None, well_type=None),
            "splits": {"names": []},
            **changes,
        }
    )


@examples(0.1)
@given(
    entries=st.lists(st.tuples(FOLDERS, PLATES, NAMES, KINDS), max_size=14),
    shut=st.sets(st.sampled_from(["E-1", "E-1/Plate1", "E-2", "other", "E-1/link3"]), max_size=2) | st.just(set()),
    ignore=st.sampled_from([[], [], ["*thumb*"], ["other/*", "*.db"]]),
    flat=st.booleans(),
    sites=st.none() | st.just([1]) | st.just(["1", "02"]),
)
def test_every_file_is_in_a_field_or_listed(tmp_path, refused, entries, shut, ignore, flat, sites):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    root = folder / "images"
    root.mkdir()
    for number, entry in enumerate(entries):
        write(root, entry, number)
    catalogue(folder / "wells.csv")
    refused.clear()
    refused.update(os.fsencode(root / name) for name in shut)
    source = {"ignore": ignore, "sites": sites, **({"pattern": FLAT["pattern"]} if flat else {})}
    screen = screen_of(root, source, fields=FLAT["fields"] if flat else {})
    experiments = ["E-1"] if flat else EXPERIMENTS
    source = screen.source
    patterns = read_patterns(source, screen.fields)
    files, unlisted = visible(root, ignore)

    findings = check_screen(screen, source, screen.metadata.tables(), experiments, 100)
    stray = [os.fspath(path) for path, _ in findings.stray]
    elsewhere = sum(findings.elsewhere.values())
    assert findings.fit + elsewhere + len(findings.other) + len(findings.stray) == len(files) + len(unlisted)
    assert set(unlisted) <= set(stray)
    for lines in check_lines("mine", screen, source, ["wells.csv"], findings):
        str(lines).encode()

    wells = read_catalogue(screen, screen.metadata.tables(), experiments)
    fit = 0
    for experiment in experiments:
        found = find_files(source, patterns, experiment, screen.plate_format)
        fit += len(found.files)
        problems = Problems(experiment, "failed")
        fields = plan_fields(found, wells[wells["experiment"] == experiment], source, problems)
        in_fields = [os.fspath(path) for field in fields for path in field.files]
        assert len(in_fields) == len(set(in_fields)) == 2 * len(fields)
        listed = [row["file"] for row in problems.rows if row["file"]]
        lacking = {
            (row["plate"], row["well"], row["site"])
            for row in problems.real
            if "no file of the channel" in row["problem"]
        }
        partial = [file for file in found.files if (file.plate, file.well, file.site) in lacking]
        partial = [file for file in partial if file.channel in source.channels]
        given_up = {(file.plate, file.well, file.site, file.channel) for file in partial}
        assert len(found.files) + len(found.unfit) + len(found.other) == len(in_fields) + len(listed) + len(given_up)
        assert set(map(os.fspath, (path for path, _ in found.unfit))) <= set(stray)
        own = [
            os.fspath(root / name)
            for name in shut
            if os.fspath(root / name) in unlisted and name.split("/")[0] == experiment
        ]
        assert flat or set(own) <= set(map(os.fspath, (path for path, _ in found.unfit)))
        for row in problems.rows:
            " ".join(row.values()).encode()
        problems.write(folder / "problems.csv")
        assert len(pd.read_csv(folder / "problems.csv")) == len(problems.rows)
        if problems.real:
            assert not findings.clean
    assert fit == findings.fit
    shutil.rmtree(folder)


ODD = {
    "usual": lambda: SMALL,
    "deep": lambda: png(pixels(dtype="uint16")),
    "wide": lambda: png(pixels((20, 24))),
    "small": lambda: png(pixels((16, 16))),
    "dot": lambda: png(pixels((1, 1))),
    "colour": lambda: png(pixels(), "colour"),
    "alpha": lambda: png(pixels(), "alpha"),
    "palette": lambda: png(pixels(), "palette"),
    "one bit": lambda: png(pixels(), "one_bit"),
    "text": lambda: b"not an image",
    "empty": lambda: b"",
    "pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "tail": lambda: SMALL + b"more behind it",
    "tiff": lambda: tiff(pixels()),
}
ODD_TIFF = {
    "usual": lambda: tiff(pixels()),
    "deep": lambda: tiff(pixels(dtype="uint16")),
    "white": lambda: tiff(pixels(), photometric="miniswhite"),
    "grey palette": lambda: palette(pixels()),
    "palette": lambda: palette(pixels(), ramp=False),
    "wide": lambda: tiff(pixels((20, 24))),
    "pages": lambda: tiff(pixels(), pages=2),
    "float": lambda: tiff(pixels(dtype="float32")),
    "packed": lambda: tiff(pixels(), compression="zlib"),
    "jpeg": lambda: tiff(pixels(), compression="jpeg"),
    "ome": lambda: ome(np.stack([pixels(), pixels()]), ["DNA", "ER"]),
    "stack": lambda: ome(np.stack([pixels(), pixels()]), axes="ZYX"),
    "tail": lambda: tiff(pixels()) + b"more behind it",
    "png": lambda: SMALL,
}
ODD_ALL = {
    "usual": lambda: tiff(pixels(), pages=2),
    "three": lambda: tiff(pixels(), pages=3),
    "one": lambda: tiff(pixels()),
    "named": lambda: ome(np.stack([pixels(), pixels()]), ["1", "2"]),
    "turned": lambda: ome(np.stack([pixels(), pixels()]), ["2", "1"]),
    "stack": lambda: ome(np.stack([pixels(), pixels()]), axes="ZYX"),
    "deep": lambda: tiff(pixels(dtype="uint16"), pages=2),
    "wide": lambda: tiff(pixels((20, 24)), pages=2),
}
SETS = {".png": ODD, ".tif": ODD_TIFF, ".ome.tif": ODD_ALL}


@st.composite
def screens(draw):
    """(suffix, a kind and a cut for each of some files, what is done to images)."""
    suffix = draw(st.sampled_from([".png", ".tif", ".ome.tif"]))
    odd = st.sampled_from(["usual"] * 12 + sorted(SETS[suffix]))
    files = draw(st.lists(st.tuples(odd, st.sampled_from([1.0] * 12 + [0.1, 0.5, 0.9, 0.99])), min_size=2, max_size=8))
    if draw(st.booleans()):
        only = draw(st.sampled_from(sorted(SETS[suffix])))
        files = [(only, cut) for _, cut in files]
    image = {
        "downsample": draw(st.sampled_from([1, 1, 1, 2, 3, 32])),
        "crop": draw(st.sampled_from([None, None, 16, [16, 20], 32])),
        "tiles": draw(st.sampled_from([1, 1, 2, 3, 32])),
        "range": draw(
            st.sampled_from(
                [None, None, [0.0, 255.0], [10.0, 4000.0], {"DNA": [0.0, 9.0], "ER": [0.0, 5e4]}, {"DNA": [0.0, 1.0]}]
            )
        ),
    }
    return suffix, files, image, draw(st.sampled_from(["uint8", "uint8", "uint16"]))


@examples(0.05)
@given(case=screens(), on_problem=st.sampled_from(["fail", "fail", "drop"]), gone=st.sampled_from([None, None, 0, 3]))
def test_check_says_what_ingestion_will(tmp_path, case, on_problem, gone):
    suffix, files, image, dtype = case
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    root = folder / "images"
    one_for_all = suffix == ".ome.tif"
    wells = []
    for number, (kind, cut) in enumerate(files):
        well = f"B{2 + (number if one_for_all else number // 2):02d}"
        wells.append(("E-1", "1", well))
        path = root / "E-1/Plate1" / (f"{well}_s1{suffix}" if one_for_all else f"{well}_s1_w{1 + number % 2}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = SETS[suffix][kind]()
        if number != gone:
            path.write_bytes(content[: int(cut * len(content))] if cut < 1 else content)
    catalogue(folder / "wells.csv", dict.fromkeys(wells))
    pattern = f"{{experiment}}/Plate{{plate:d}}/{{well}}_s{{site:d}}{'' if one_for_all else '_w{channel}'}{suffix}"
    changes = {
        "image": ImageProcessing(**image),
        "store": Store(dtype=dtype, images_per_shard=4),
        "on_problem": on_problem,
    }
    screen = screen_of(root, {"pattern": pattern}, **changes)
    tables = screen.metadata.tables()
    wells = read_catalogue(screen, tables, ["E-1"])
    findings = check_screen(screen, screen.source, tables, ["E-1"], 100)
    for lines in check_lines("mine", screen, screen.source, ["wells.csv"], findings):
        str(lines).encode()
    listed = folder / "problems.csv"
    rows = one_line(ingest_experiment, screen, screen.source, "E-1", wells, folder / "E-1.zarr", listed, 1)
    problems = pd.read_csv(listed, keep_default_na=False) if listed.exists() else None
    if on_problem == "fail":
        assert findings.clean == (rows is not None), check_lines("mine", screen, screen.source, [], findings)
    elif rows is None:
        assert not findings.clean
    if rows is not None:
        tiles = image["tiles"] ** 2
        bad = set(zip(problems["plate"].astype(str), problems["well"], strict=True))
        assert len(rows) == tiles * (len(wells) - len(bad))
        assert not bad or on_problem == "drop"
        assert (findings.clean) == (not bad)
        write_frame(rows, folder / "rows.parquet")
        index = of_user(build_index, [folder / "rows.parquet"], wells, screen.qc)
        assert index is None or len(index) == len(rows)
    shutil.rmtree(folder)
