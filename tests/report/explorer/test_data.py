"""What the explorer's scripts are given, unpacked as a browser does it."""

import base64
import json
import re
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers.images import MemoryReader, make_images, make_index
from PIL import Image

from debatch.report.explorer import thumbnails
from debatch.report.explorer.columns import index_columns, place_columns, plate_names, predicted_columns
from debatch.report.explorer.packed import pack_codes, pack_numbers, pack_texts, write_script
from debatch.report.explorer.page import Facts, Look, write_page
from debatch.report.explorer.points import in_steps, project_view
from debatch.report.explorer.thumbnails import Layout, write_thumbnails
from debatch.report.qc import display_limits

FACTS = Facts("s", "S", False, "", ("image", "images"), (8, 12), [], [])


def received(path) -> tuple[str, object]:
    """The name and the value that a script hands over."""
    said = re.fullmatch(r"debatch\.receive\((.*)\);\n", path.read_text(), re.DOTALL)
    return tuple(json.loads(f"[{said[1]}]"))


def unpacked(packed):
    data = zlib.decompress(base64.b64decode(packed["data"]))
    return json.loads(data) if packed["type"] == "json" else np.frombuffer(data, f"<{packed['type']}")


def of_key(columns, key):
    column = next(column for column in columns if column["key"] == key)
    return [column["names"][code] for code in unpacked(column["codes"])]


def test_numbers_and_texts_come_back_in_as_few_bits_as_they_need():
    assert unpacked(pack_codes(np.arange(256))).tolist() == list(range(256))
    kinds = [pack_codes(np.array([0, most]))["type"] for most in (255, 256, 65_536)]
    assert kinds == ["u1", "u2", "u4"]
    values = np.array([0.5, np.nan, -1], np.float32)
    np.testing.assert_array_equal(unpacked(pack_numbers(values)), values)
    texts = ["</script>", "a\nb", "ü", "\u2028"]
    assert unpacked(pack_texts(texts)) == texts


def test_a_script_holds_no_letter_that_could_end_it(tmp_path):
    value = {"name": "</script><!--", "line": "\u2028\u2029", "and": "&"}
    write_script("x</script>", value, tmp_path / "x.js")
    assert not set("<>&\u2028\u2029") & set((tmp_path / "x.js").read_text())
    assert received(tmp_path / "x.js") == ("x</script>", value)


def test_names_are_in_natural_order_and_what_is_not_known_has_none():
    index = make_index(experiments=2, wells=3)
    index["perturbation"] = ["T10", "T2", None, "T2", "", "T10"]
    column = next(column for column in index_columns(index) if column["key"] == "perturbation")
    assert column["names"] == ["T2", "T10", None]
    assert unpacked(column["codes"]).tolist() == [1, 0, 2, 0, 2, 1]


def test_plates_of_one_name_in_two_experiments_are_two():
    index = make_index(experiments=2, wells=3)
    names = plate_names(index)
    assert names.unique().tolist() == ["E00, plate 1", "E01, plate 1"]
    found = place_columns(index, names)
    assert unpacked(found["plate"]).tolist() == [0, 0, 0, 1, 1, 1]
    assert unpacked(found["row"]).tolist() == [1] * 6
    assert unpacked(found["column"]).tolist() == [1, 2, 3] * 2


def test_columns_are_those_that_tell_images_apart_and_the_users_own():
    index = make_index(experiments=2, wells=3)
    index["qc_flags"] = ["DNA: out of focus; ER: saturated; Actin: saturated", *[""] * 5]
    index["focus_DNA"] = 1.0
    index["dose"] = [0.1, 1, 10] * 2
    index["same"] = "x"
    columns = index_columns(index)
    keys = [column["key"] for column in columns]
    assert keys[:2] == ["batch", "perturbation"]
    assert keys[-1] == "own.dose"
    assert not {"part", "label", "store_row", "own.same", "focus_DNA", "qc_flags"} & set(keys)
    assert of_key(columns, "qc") == ["out of focus + saturated", *["none"] * 5]


def test_predictions_say_what_is_right_and_how_probable_the_truth_was():
    index = make_index(experiments=1, wells=4)
    predictions = pd.DataFrame(
        {
            "image_id": [index["image_id"][2], index["image_id"][0], "of another screen", index["image_id"][3]],
            "label": pd.array([2, 0, 0, None], "Int64"),
            "predicted": [2, 1, 0, 7],
            "predicted_well": [1, 0, 0, 7],
            "log_probability": [np.log(0.25), -np.inf, 0.0, np.nan],
        }
    )
    found = predicted_columns(predictions, index)
    assert unpacked(found["rows"]).tolist() == [2, 0, 3]
    assert unpacked(found["right"]).tolist() == [2, 1, 0]
    assert unpacked(found["probability"]).tolist() == [round(0.25 * 65_534), 0, 65_535]
    # a class that no image of the screen has is told by its number
    assert [found["names"][code] for code in unpacked(found["predicted"])] == ["T2", "T1", "class 7"]
    assert unpacked(found["well_right"]).tolist() == [1, 2, 0]
    assert [found["names"][code] for code in unpacked(found["predicted_well"])] == ["T1", "T0", "class 7"]


def test_classes_have_the_same_codes_with_each_method():
    index = make_index(experiments=1, wells=4)
    of_one = {"image_id": index["image_id"], "label": index["label"], "predicted_well": 3, "log_probability": -1.0}
    names = [predicted_columns(pd.DataFrame({**of_one, "predicted": each}), index)["names"] for each in (0, 3)]
    assert names[0] == names[1] == ["T0", "T1", "T2", "T3"]


def test_points_keep_their_shape_and_their_image(tmp_path):
    index = make_index(experiments=2, wells=3)
    places = np.array([[0, 0], [4, 0], [4, 1], [2, 0.5]])
    ids = [*index["image_id"][[5, 1, 0]], "of another screen"]
    points = pd.DataFrame({"projection": "PCA", "image_id": ids, "x": places[:, 0], "y": places[:, 1]})
    write_page(tmp_path, FACTS, index, [Look("a", "A", points)])
    name, value = received(tmp_path / "data/view-0.js")
    assert name == "data/view-0.js"
    rows, x, y = (unpacked(value[key]).tolist() for key in ("rows", "x", "y"))
    assert {row: (x[at], y[at]) for at, row in enumerate(rows)} == {
        5: (0, 24_576),
        1: (65_535, 24_576),
        0: (65_535, 40_959),
    }
    _, screen = received(tmp_path / "data/screen.js")
    assert screen["views"][0]["predictions"] is None
    assert unpacked(screen["ids"]) == index["image_id"].tolist()


def test_points_in_one_place_and_no_points_are_in_the_middle():
    assert in_steps(np.zeros((0, 2))).shape == (0, 2)
    assert in_steps(np.ones((3, 2))).tolist() == [[32_768, 32_768]] * 3


def test_embeddings_without_a_direction_have_no_point():
    table = pd.DataFrame({"Metadata_Image": ["a", "b", "c"], "f0": [1.0, 0, 2], "f1": [0.0, 0, 1]})
    points = project_view(table, "train.znorm")
    assert points["image_id"].tolist() == ["a", "c"]
    assert set(points["view"]) == {"train.znorm"}
    assert set(points["projection"]) == {"PCA"}


def test_data_of_an_earlier_page_go_and_predictions_of_two_looks_are_written_once(tmp_path):
    index = make_index(experiments=1, wells=4)
    points = pd.DataFrame({"projection": "PCA", "image_id": index["image_id"], "x": 0.0, "y": 0.0})
    predictions = pd.DataFrame(
        {"image_id": index["image_id"], "label": index["label"], "predicted": 0, "log_probability": -1.0}
    ).assign(predicted_well=0)
    looks = [Look(key, key, points, predictions) for key in "ab"]
    write_page(tmp_path, FACTS, index, [*looks, Look("c", "c", points)])
    assert (tmp_path / "data/view-2.js").exists()
    write_page(tmp_path, FACTS, index, looks)
    made = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert made == ["predictions-0.js", "screen.js", "view-0.js", "view-1.js"]
    page = (tmp_path / "index.html").read_text()
    for file in re.findall(r'(?:src|href)="(static/[^"]+)"', page):
        assert (tmp_path / file).exists()


@pytest.fixture
def three_plates():
    index = make_index(experiments=2, wells=10, sites=2)
    index["plate"] = np.where((index["experiment"] == "E00") & (index["well"] > "B06"), "2", "1")
    images = make_images(index, channels=3, side=40)
    return index, images, MemoryReader(index, images)


def test_pictures_lie_where_the_script_says_in_one_display_range(three_plates, tmp_path):
    index, images, reader = three_plates
    for experiment in ("E00", "E01"):
        write_thumbnails(index, experiment, reader, 20, tmp_path / f"images/{experiment}.js")
    limits = display_limits(list(images))
    found = {}
    for experiment, plates in (("E00", 2), ("E01", 1)):
        name, value = received(tmp_path / f"images/{experiment}.js")
        assert name == f"images/{experiment}.js"
        assert (value["channels"], value["width"], value["height"]) == (reader.names, 20, 20)
        assert len(value["sheets"]) == plates
        for sheet in value["sheets"]:
            pixels = np.asarray(Image.open(tmp_path / sheet["file"]).convert("L"), float)
            for at, row in enumerate(unpacked(sheet["rows"])):
                down, across = divmod(at, sheet["columns"])
                strip = pixels[down * 20 : (down + 1) * 20, across * 60 : (across + 1) * 60]
                found[int(row)] = np.stack(np.split(strip, 3, axis=1))
    assert sorted(found) == list(range(len(index)))
    for row, picture in found.items():
        small = np.stack([cv2.resize(plane, (20, 20), interpolation=cv2.INTER_AREA) for plane in images[row]])
        expected = 255 * ((small - limits[:, :1, None]) / (limits[:, 1:] - limits[:, :1])[..., None]).clip(0, 1)
        # what is left of it after lossy compression
        assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.8
        assert abs(picture.mean() - expected.mean()) < 12


def test_a_part_has_a_display_range_of_its_own(three_plates, tmp_path):
    index, images, reader = three_plates
    second = (index["experiment"] == "E01").to_numpy()
    reader.images = np.where(second[:, None, None, None], images // 4, images)
    means = {}
    for parts in (index.assign(part=index["experiment"]), index):
        write_thumbnails(parts, "E01", reader, 20, tmp_path / "images/E01.js")
        _, value = received(tmp_path / "images/E01.js")
        sheet = np.asarray(Image.open(tmp_path / value["sheets"][0]["file"]).convert("L"), float)
        means[parts["part"].nunique()] = sheet[:20].mean()
    assert means[2] > 2 * means[1]


def test_plates_too_large_for_a_sheet_get_several(three_plates, tmp_path, monkeypatch):
    index, _, reader = three_plates
    monkeypatch.setattr(thumbnails, "SHEET_PIXELS", 64)
    write_thumbnails(index, "E00", reader, 20, tmp_path / "images/E00.js")
    _, value = received(tmp_path / "images/E00.js")
    assert [len(unpacked(sheet["rows"])) for sheet in value["sheets"]] == [3, 3, 3, 1, 3, 3, 3, 1]
    write_thumbnails(index, "E00", reader, 40, tmp_path / "images/E00.js")
    _, value = received(tmp_path / "images/E00.js")
    # channels below each other, where they have no room beside each other
    assert (value["across"], value["down"]) == (1, 3)
    assert len(list((tmp_path / "images/E00").iterdir())) == len(value["sheets"]) == 20


def test_pictures_keep_the_shape_of_images_and_make_none_larger():
    assert Layout.of((6, 480, 640), 64) == Layout(64, 48, 6, 1)
    assert Layout.of((3, 32, 32), 64) == Layout(32, 32, 3, 1)
