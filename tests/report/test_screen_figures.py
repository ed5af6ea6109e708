"""What is shown of the screen itself, before any training."""

import numpy as np
import pandas as pd
import pytest
import zarr
from helpers.images import make_images, make_index
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from debatch.config.screen import PlateFormat, QcLimits
from debatch.errors import DataError
from debatch.report.illumination import draw_illumination
from debatch.report.ome_zarr import write_plates
from debatch.report.page.quality import quality_facts
from debatch.report.plate_format import plate_shape
from debatch.report.plates import MEASURES, MOST_PLATES, draw_plates, plate_table
from debatch.report.qc import draw_qc
from debatch.screen.access import OpenScreen
from debatch.screen.flags import qc_flags

CHANNELS = ["DNA", "ER"]


def measured_index(experiments=2, wells=6, sites=2):
    index = make_index(experiments, wells, sites)
    generator = np.random.default_rng(0)
    for channel in CHANNELS:
        for measure in (*MEASURES, "clipped"):
            index[f"{measure}_{channel}"] = generator.uniform(0.004, 0.005, len(index)).astype(np.float32)
    index["qc_flags"] = qc_flags(index, QcLimits())
    return index


def panels(figure):
    return [axis for axis in figure.axes if axis.images]


def test_heat_maps_cell_is_its_wells_mean_and_a_place_without_a_well_is_blank():
    index = measured_index()
    table = plate_table(index)
    figure = draw_plates(table, "focus", "mine", PlateFormat())
    maps = panels(figure)
    assert [axis.get_title() for axis in maps] == CHANNELS
    # plates of both experiments, one scale for both, with a row between
    shown, opaque = maps[1].images[0].get_array(), maps[1].images[0].get_alpha()
    assert shown.shape == opaque.shape == (6 + 1 + 6, 8)
    assert not opaque[6].any()
    assert opaque.sum() == 2 * 6 * 8
    assert [text.get_text() for text in maps[0].texts] == ["E00\nplate 1", "E01\nplate 1"]
    shown = shown[:6]
    sites = index[(index["experiment"] == "E00") & (index["well"] == "B03")]
    assert shown[1, 2] == pytest.approx(sites["focus_ER"].mean(), rel=1e-6)
    assert (~np.ma.getmaskarray(shown)).sum() == 6
    assert "variance of the Laplacian" in figure.get_suptitle()


def test_stated_plate_format_is_drawn():
    figure = draw_plates(plate_table(measured_index()), "intensity", "mine", PlateFormat(rows=16, columns=24))
    assert panels(figure)[0].images[0].get_array().shape == (16 + 2 + 16, 24)


def test_of_many_plates_some_are_drawn_and_all_are_in_the_table():
    table = plate_table(measured_index(experiments=30, wells=2))
    assert table[["experiment", "plate"]].drop_duplicates().shape[0] == 30
    figure = draw_plates(table, "saturation", "mine", PlateFormat())
    assert [len(axis.texts) for axis in panels(figure)] == [MOST_PLATES, 0]
    assert f"{MOST_PLATES} of 30 plates" in figure.get_suptitle()


@pytest.mark.parametrize("measure", MEASURES)
def test_measure_that_is_the_same_everywhere_is_drawn(measure, tmp_path):
    index = measured_index(experiments=1, wells=2)
    for channel in CHANNELS:
        index[f"{measure}_{channel}"] = 0.0
    draw_plates(plate_table(index), measure, "mine", PlateFormat()).savefig(tmp_path / "a.png")


def test_flags_are_counted_by_channel():
    index = measured_index()
    index["saturation_ER"] = [0.5, 0.5] + [0.0] * (len(index) - 2)
    index["qc_flags"] = qc_flags(index, QcLimits())
    table = plate_table(index).set_index(["experiment", "well", "channel"]).sort_index()
    assert table.loc[("E00", "B02"), "flagged"].to_dict() == {"DNA": 0, "ER": 2}
    found = quality_facts(index)
    assert (found.flagged, found.kinds) == (2, {"saturated": 2})
    assert found.examples[0] == {"image_id": "E00_1_B02_1", "qc_flags": "ER: saturated"}
    by_channel = {row["channel"]: row for row in found.channels}
    assert by_channel["ER"]["flagged images"] == "2"
    assert by_channel["ER"]["saturated pixels (%)"] == f"{100 / len(index):.3g}"


def test_channel_whose_name_ends_anothers_is_not_taken_for_it():
    index = measured_index(experiments=1, wells=2).rename(columns=lambda name: name.replace("_ER", "_F-DNA"))
    index["qc_flags"] = ["F-DNA: saturated", "DNA: constant; F-DNA: saturated", "", ""]
    counted = plate_table(index).groupby("channel")["flagged"].sum().to_dict()
    assert counted == {"DNA": 1, "F-DNA": 2}
    assert {row["channel"]: row["flagged images"] for row in quality_facts(index).channels} == {
        "DNA": "1",
        "F-DNA": "2",
    }


def test_index_without_measures_has_no_quality():
    assert quality_facts(make_index(1, 2)) is None


def test_illumination_has_one_scale_about_one():
    profiles = {("E", str(plate)): np.full((2, 8, 8), 1 + 0.05 * plate) for plate in range(3)}
    profiles["E", "2"][1] = np.nan
    named = {plate: dict(zip(CHANNELS, blocks, strict=True)) for plate, blocks in profiles.items()}
    figure = draw_illumination(named, "mine")
    norms = [axis.images[0].norm for axis in panels(figure)[:6]]
    assert {(round(norm.vmin, 6), norm.vcenter, round(norm.vmax, 6)) for norm in norms} == {(0.9, 1, 1.1)}


def test_qc_of_a_screen_without_labels_shows_wells():
    index = make_index(experiments=2, wells=3)
    images = dict(zip(index["image_id"], make_images(index), strict=True))
    index["label"] = pd.array([pd.NA] * len(index), dtype="Int64")
    index["perturbation"] = None
    figure, numbers = draw_qc(index, lambda row: images[row["image_id"]], {"all": ["a", "b", "c"]}, "mine")
    assert len(numbers) == 6
    assert "wells (rows) in batches (columns); no image has a label" in figure.get_suptitle()


def opened(index):
    import dask.array

    images = make_images(index, channels=2, side=160)
    return images, OpenScreen(index, dask.array.from_array(images, chunks=(2, -1, -1, -1)), CHANNELS)


def test_ome_zarr_is_what_readers_of_it_open(tmp_path):
    index = make_index(experiments=2, wells=3, sites=2)
    images, screen = opened(index)
    plates = write_plates(screen, "E01", tmp_path / "out", (8, 12))
    assert plates.to_dict("records") == [{"plate": "1", "wells": 3, "images": 6, "path": "1.ome.zarr"}]
    (node,) = Reader(parse_url(str(tmp_path / "out/1.ome.zarr")))()
    # a plate's picture: 8 x 12 wells of 2 channels, B03 in the second row and the third column
    assert node.data[0].shape == (2, 8 * 160, 12 * 160)
    group = zarr.open_group(tmp_path / "out/1.ome.zarr", mode="r")
    facts = group.attrs["ome"]["plate"]
    assert [well["path"] for well in facts["wells"]] == ["B/2", "B/3", "B/4"]
    assert facts["field_count"] == 2
    well = group["B/3"]
    assert [image["path"] for image in well.attrs["ome"]["well"]["images"]] == ["1", "2"]
    at = index.index[(index["experiment"] == "E01") & (index["well"] == "B03") & (index["site"] == "2")][0]
    np.testing.assert_array_equal(well["2/s0"][:], images[at])
    assert well["2/s1"].shape == (2, 80, 80)
    channels = well["2"].attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == CHANNELS
    assert all(channel["window"]["start"] < channel["window"]["end"] <= 255 for channel in channels)


def test_a_plate_lists_all_of_its_rows_and_columns_so_that_viewers_place_wells(tmp_path):
    index = make_index(experiments=1, wells=3).assign(well=["B02", "B04", "G10"])
    images, screen = opened(index)
    write_plates(screen, "E00", tmp_path, plate_shape(index["well"], PlateFormat()))
    facts = zarr.open_group(tmp_path / "1.ome.zarr", mode="r").attrs["ome"]["plate"]
    assert [row["name"] for row in facts["rows"]] == list("ABCDEFGH")
    assert [column["name"] for column in facts["columns"]] == [str(number) for number in range(1, 13)]
    places = {well["path"]: (well["rowIndex"], well["columnIndex"]) for well in facts["wells"]}
    assert places == {"B/2": (1, 1), "B/4": (1, 3), "G/10": (6, 9)}
    (node,) = Reader(parse_url(str(tmp_path / "1.ome.zarr")))()
    picture = np.asarray(node.data[0]).reshape(2, 8, 160, 12, 160)
    np.testing.assert_array_equal(picture[:, 6, :, 9], images[2])
    np.testing.assert_array_equal(picture[:, 1, :, 3], images[1])
    assert not picture[:, 0].any()


@pytest.mark.parametrize(
    ("wells", "stated", "shape"),
    [
        (["A01", "B03"], {}, (2, 3)),
        (["C01"], {}, (3, 4)),
        (["A06"], {}, (4, 6)),
        (["F08"], {}, (6, 8)),
        (["G10"], {}, (8, 12)),
        (["A01", "I01"], {}, (16, 24)),
        (["AF48"], {}, (32, 48)),
        (["A49"], {}, (1, 49)),
        (["A01"], {"rows": 16, "columns": 24}, (16, 24)),
        (["A01"], {"rows": 32, "columns": 48}, (32, 48)),
        (["A10"], {"rows": 8}, (8, 12)),
        (["A01"], {"columns": 7}, (2, 7)),
    ],
)
def test_plates_are_of_the_smallest_usual_format_unless_one_is_stated(wells, stated, shape):
    assert plate_shape(pd.Series(wells), PlateFormat(**stated)) == shape


def test_one_plate_of_an_experiment(tmp_path):
    index = make_index(experiments=1, wells=2)
    index.loc[1, "plate"] = "2"
    _, screen = opened(index)
    assert write_plates(screen, "E00_2", tmp_path / "out", (8, 12))["plate"].tolist() == ["2"]
    with pytest.raises(DataError, match=r"no plate 'E00_3' to write as OME-Zarr; there is E00_1, E00_2"):
        write_plates(screen, "E00_3", tmp_path / "out", (8, 12))
