import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, make_images, make_index, self_statistics

from debatch.config import Recipe
from debatch.embed import embed_images, held_by_few_classes, predict_under_each, statistics_groups
from debatch.errors import DataError
from debatch.model.inputs import ImageSet
from debatch.model.network import Network
from debatch.screen.order import few_classes

# E02 is new: plate 1 has 12 treatments and 4 controls, plate 2 has 10 and 2
INDEX = make_index(experiments=3, wells=14, sites=2)
INDEX["plate"] = np.where(INDEX["well"] >= "B10", "2", "1")
# of a plate's control wells half are positive: both kinds give statistics
INDEX.loc[(INDEX["well_type"] == "negative_control") & (INDEX["well"] <= "B05"), "well_type"] = "positive_control"
SPLIT = pd.DataFrame({"image_id": INDEX["image_id"], "subset": np.where(INDEX["batch"] == "E02", "test", "train")})
TEN = Recipe(statistics_images=10, group=8)


def groups_by_name(inference, index=INDEX):
    return {group.name: group for group in statistics_groups(inference, index, SPLIT, TEN)}


@pytest.mark.parametrize("pool", ["controls", "treatments"])
@pytest.mark.parametrize("plate", ["", "plate_"])
def test_statistics_come_from_the_named_wells_of_the_named_place(pool, plate):
    groups = groups_by_name(plate + pool)
    assert sorted(groups) == (["E02_1", "E02_2"] if plate else ["E02"])
    assert sum(len(group.images) for group in groups.values()) == 28
    for name, group in groups.items():
        of_the_place = INDEX["experiment"] + ("_" + INDEX["plate"] if plate else "") == name
        of_the_pool = (INDEX["well_type"] == "treatment") == (pool == "treatments")
        assert sorted(group.reference) == np.flatnonzero(of_the_place & of_the_pool).tolist()


def test_a_number_is_drawn_from_the_named_wells_alone_whatever_their_order():
    group = groups_by_name("plate_treatments_n5")["E02_1"]
    assert len(group.reference) == 5
    assert set(INDEX["well_type"].iloc[group.reference]) == {"treatment"}
    assert set(INDEX["plate"].iloc[group.reference]) == {"1"}
    again = groups_by_name("plate_treatments_n5", INDEX.iloc[::-1].reset_index(drop=True))["E02_1"]
    names = INDEX["image_id"].to_numpy()
    assert set(names[group.reference]) == set(names[::-1][again.reference])


def test_labels_do_not_draw_images():
    relabelled = INDEX.assign(label=INDEX["label"].iloc[::-1].to_numpy())
    for inference in ("n5", "controls_n3", "plate_treatments_n5"):
        for name, group in groups_by_name(inference).items():
            np.testing.assert_array_equal(group.reference, groups_by_name(inference, relabelled)[name].reference)


def test_more_images_hold_the_fewer_ones():
    few, more = groups_by_name("treatments_n4")["E02"], groups_by_name("treatments_n9")["E02"]
    assert set(few.reference) < set(more.reference)


def test_few_classes_are_two_at_least_and_nested_and_of_no_order():
    names = [f"T{n}" for n in range(20)]
    by_percent = {percent: few_classes(names, percent) for percent in (50, 25, 10, 1)}
    assert [len(kept) for kept in by_percent.values()] == [10, 5, 2, 2]
    assert by_percent[1] == by_percent[10] < by_percent[25] < by_percent[50]
    assert few_classes([*reversed(names), *names], 25) == by_percent[25]
    assert len(few_classes(["one"], 50)) == 1


def test_a_batch_of_few_classes_holds_all_images_of_those_and_no_others():
    (group,) = statistics_groups("classes_50", INDEX, SPLIT, TEN)
    np.testing.assert_array_equal(group.reference, group.images)
    kept = set(INDEX["perturbation"].iloc[group.images])
    assert kept == few_classes({"T0", "T1", "T2", "T3"}, 50)
    expected = np.flatnonzero((INDEX["batch"] == "E02") & INDEX["perturbation"].isin(kept))
    assert sorted(group.images) == expected.tolist()
    np.testing.assert_array_equal(
        np.flatnonzero(held_by_few_classes(INDEX, SPLIT, 50) & (INDEX["batch"] == "E02")), expected
    )


def test_images_without_a_label_are_of_no_class():
    index = INDEX.astype({"perturbation": object})
    index.loc[index["well"] == "B02", ["label", "perturbation"]] = pd.NA
    held = held_by_few_classes(index, SPLIT, 99)
    assert not held[index["well"] == "B02"].any()
    assert held[(index["well"] != "B02").to_numpy()].all()


def model(recipe, index=INDEX):
    torch.manual_seed(0)
    network, images = Network(recipe, channels=3, classes=4, batches=2), make_images(index)
    return network, ImageSet(index, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))


def predict(recipe, names, index=INDEX):
    network, images = model(recipe, index)
    return {each.statistics: each for each in predict_under_each(network, images, names, SPLIT, recipe, ["E00", "E01"])}


def test_many_statistics_in_one_go_say_what_each_says_alone(tiny_recipe):
    """What one leaves in the network must not be seen by the next, in whatever order."""
    names = ["batch", "train", "plate_n4", "classes_50", "controls", "batch"]
    found = predict(tiny_recipe, names)
    for name, each in found.items():
        groups = statistics_groups(name, INDEX, SPLIT, tiny_recipe)
        alone = embed_images(*model(tiny_recipe), groups, tiny_recipe, ["E00", "E01"])
        pd.testing.assert_frame_equal(each.predictions, alone.predictions)
    assert not found["train"].predictions["log_probability"].equals(found["batch"].predictions["log_probability"])


def test_a_number_that_a_plate_does_not_hold_is_not_scored(tiny_recipe, caplog):
    found = predict(tiny_recipe, ["plate_controls_n4", "plate_controls_n5", "controls_n5"])
    assert [len(group.reference) for group in found["plate_controls_n5"].groups] == [4, 2]
    assert found["plate_controls_n4"].predictions is None
    assert found["plate_controls_n5"].predictions is None
    assert set(found["controls_n5"].predictions["statistics_images"]) == {5}
    assert "statistics from only" not in caplog.text


def test_a_plate_without_controls_stops_the_run_but_not_the_comparison(tiny_recipe):
    index = INDEX.assign(well_type=INDEX["well_type"].where(INDEX["plate"] == "1", "treatment"))
    with pytest.raises(DataError, match=r"E02_2: test statistics 'plate_controls' would come from no control image"):
        statistics_groups("plate_controls", index, SPLIT, tiny_recipe)
    found = predict(tiny_recipe, ["plate_controls", "controls"], index)
    assert found["plate_controls"].predictions is None
    assert {group.name: len(group.reference) for group in found["plate_controls"].groups} == {"E02_1": 4, "E02_2": 0}
    assert len(found["controls"].predictions) == 28
