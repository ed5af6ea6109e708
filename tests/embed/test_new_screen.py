import json
import logging
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, make_images, make_index

from debatch.config import Recipe
from debatch.config.images import Store
from debatch.config.trained import channel_positions, read_trained_model
from debatch.embed import statistics_groups
from debatch.embed.new_screen import embed_screen, model_images, with_channels
from debatch.embed.statistics import screen_groups
from debatch.errors import ConfigError, DataError
from debatch.model.inputs import ImageSet
from debatch.model.network import Network
from debatch.model.population import set_population_statistics
from debatch.model.weights import load_network, model_facts, save_weights
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import ImageReader, StoreWriter

CHANNELS = ["DNA", "ER", "Actin"]
# the new screen: other classes (six of them, the model tells four), some images without a label
INDEX = make_index(experiments=2, wells=13, classes=6).assign(
    label=lambda rows: rows["label"].mask(rows["well"] == "B05")
)
IMAGES = make_images(make_index(experiments=2, wells=13), seed=1)
FORMS = ["train", "batch", "plate", "controls", "mini_batch", "n5"]


@pytest.fixture
def run(tmp_path, tiny_recipe):
    """A run's folder: a network that was not trained, with statistics of some images of its own."""
    return write_run(tmp_path / "seed0", tiny_recipe)


def write_run(folder, recipe, screen="tiny", channel_sets=()):
    torch.manual_seed(0)
    network = Network(recipe, 3, 4, 2, channel_sets)
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    set_population_statistics(network, [(images, CHANNELS)])
    facts = model_facts(recipe, CHANNELS, 4, ["E00", "E01"], channel_sets=channel_sets)
    save_weights(network, folder / "model.safetensors", facts)
    record = {"screen": screen, "method": "adabn", "split": "separated", "seed": 0, "recipe": recipe.model_dump()}
    (folder / "recipe.json").write_text(json.dumps({**record, "debatch": "0.0.7"}))
    return folder


def write_stores(folder, index, images, channels):
    stores = {}
    for experiment, rows in index.groupby("experiment"):
        stores[experiment] = folder / f"{experiment}.zarr"
        own = images[rows.index]
        with StoreWriter(stores[experiment], own.shape, Store(dtype=own.dtype.name), {"channels": channels}) as writer:
            writer.append(own, measure(own).moments)
    return stores


def embed(run, folder, index, images, channels, **changes):
    """As the workflow does it, through stores on disk."""
    model = read_trained_model(run)
    recipe = model.recipe.model_copy(update=changes)
    network, _ = load_network(model.weights, recipe, torch.device("cpu"))
    stores = write_stores(folder, index, images, channels)
    statistics = normalization_statistics(index, measure(images).moments, channels, recipe.normalization)
    image_set = model_images(index, statistics, model, ImageReader(stores, 1), torch.device("cpu"))
    return embed_screen(network, image_set, recipe)


def features(table):
    return table.filter(regex="^embedding_").to_numpy()


@pytest.mark.parametrize("inference", ["train", "batch"])
def test_channels_are_found_by_name_in_any_order_and_among_others(run, tmp_path, caplog, inference):
    expected = embed(run, tmp_path / "own", INDEX, IMAGES, CHANNELS, test_statistics=inference)
    other = np.random.default_rng(2).integers(0, 200, (len(IMAGES), 1, 32, 32)).astype(np.uint8)
    mixed = np.concatenate([IMAGES[:, [2]], other, IMAGES[:, [0, 1]]], axis=1)
    with caplog.at_level(logging.INFO, "debatch"):
        table = embed(run, tmp_path / "mixed", INDEX, mixed, ["Actin", "RNA", "DNA", "ER"], test_statistics=inference)
    pd.testing.assert_frame_equal(table, expected)
    assert "channels DNA, ER, Actin are the stored channels 3, 4, 1 of 4; not looked at: RNA" in caplog.text
    assert np.ptp(features(table), axis=0).any()
    as_stored = embed(run, tmp_path / "stored", INDEX, mixed[:, [0, 2, 3]], CHANNELS, test_statistics=inference)
    assert not np.allclose(features(as_stored), features(expected))


def test_a_model_that_knows_channels_by_name_embeds_what_there_is_of_them(tmp_path, tiny_recipe):
    recipe = Recipe(**{**tiny_recipe.model_dump(), "stem": {"kind": "slice_param"}})
    run = write_run(tmp_path / "named", recipe, channel_sets=(tuple(CHANNELS),))
    two = embed(run, tmp_path / "two", INDEX, IMAGES[:, [0, 1]], ["DNA", "ER"])
    turned = embed(run, tmp_path / "turned", INDEX, IMAGES[:, [1, 0]], ["ER", "DNA"])
    np.testing.assert_allclose(features(two), features(turned), atol=1e-5)
    three = embed(run, tmp_path / "three", INDEX, IMAGES, CHANNELS)
    assert np.isfinite(features(two)).all()
    assert not np.allclose(features(two), features(three))
    with pytest.raises(DataError, match=r"does not know the channels 'RNA'; it knows 'DNA', 'ER', 'Actin'"):
        embed(run, tmp_path / "strange", INDEX, IMAGES[:, [0, 1]], ["DNA", "RNA"])
    with pytest.raises(DataError, match=r"the screen's 'actin' looks like the model's 'Actin'"):
        embed(run, tmp_path / "nearly", INDEX, IMAGES[:, [0, 1]], ["DNA", "actin"])


def test_every_image_is_embedded_in_the_fields_format_whatever_its_label(run, tmp_path):
    table = embed(run, tmp_path, INDEX, IMAGES, CHANNELS)
    assert table["Metadata_Image"].tolist() == INDEX["image_id"].tolist()
    assert table["Metadata_Label"].isna().sum() == 2
    assert table["Metadata_Label"].max() == 5
    assert features(table).shape == (26, 16)
    assert features(table).dtype == np.float32
    assert np.isfinite(features(table)).all()


def test_stored_scale_does_not_matter(run, tmp_path):
    """A model of 8-bit images looks at 16-bit ones of another range."""
    eight = embed(run, tmp_path / "8", INDEX, IMAGES, CHANNELS)
    sixteen = embed(run, tmp_path / "16", INDEX, IMAGES.astype(np.uint16) * 150 + 1000, CHANNELS)
    np.testing.assert_allclose(features(eight), features(sixteen), atol=1e-3)


def test_the_models_own_statistics_look_at_no_other_image(run, tmp_path):
    everything = embed(run, tmp_path / "all", INDEX, IMAGES, CHANNELS, test_statistics="train")
    few = np.flatnonzero(INDEX["well"].isin(["B03", "B07", "B10"]))
    rows = INDEX.iloc[few].reset_index(drop=True)
    rows["store_row"] = rows.groupby("experiment").cumcount()
    some = embed(run, tmp_path / "some", rows, IMAGES[few], CHANNELS, test_statistics="train")
    np.testing.assert_allclose(features(some), features(everything)[few], atol=1e-5)
    one = embed(run, tmp_path / "one", rows[:1], IMAGES[few[:1]], CHANNELS, test_statistics="train")
    np.testing.assert_allclose(features(one), features(everything)[few[:1]], atol=1e-5)


def test_the_models_own_statistics_are_those_in_its_file(run, tmp_path):
    table = embed(run, tmp_path, INDEX, IMAGES, CHANNELS, test_statistics="train")
    model = read_trained_model(run)
    network, _ = load_network(model.weights, model.recipe, torch.device("cpu"))
    statistics = normalization_statistics(INDEX, measure(IMAGES).moments, CHANNELS, "self")
    image_set = ImageSet(INDEX, statistics, MemoryReader(INDEX, IMAGES), torch.device("cpu"))
    (group,) = image_set.groups([np.arange(len(INDEX))])
    with torch.inference_mode():
        expected = network.embed(group.standardized(32))
    np.testing.assert_allclose(features(table), expected, atol=1e-5)


@pytest.mark.parametrize("inference", [form for form in FORMS if form != "train"])
def test_other_statistics_are_those_of_a_split_where_everything_is_test(inference):
    recipe = Recipe(group=8)
    split = pd.DataFrame({"image_id": INDEX["image_id"], "subset": "test"})
    expected = statistics_groups(inference, INDEX, split, recipe)
    groups = screen_groups(inference, INDEX, recipe)
    assert [group.name for group in groups] == [group.name for group in expected]
    for group, same in zip(groups, expected, strict=True):
        np.testing.assert_array_equal(group.reference, same.reference)
        np.testing.assert_array_equal(group.images, same.images)
        assert INDEX["batch"].iloc[group.reference].nunique() == 1
    assert sorted(np.concatenate([group.images for group in groups])) == list(range(len(INDEX)))


def test_the_recipe_says_under_which_statistics(tmp_path, tiny_recipe):
    adaptive = write_run(tmp_path / "seed0", tiny_recipe.model_copy(update={"batch_norm": "adaptive"}))
    by_recipe = embed(adaptive, tmp_path / "a", INDEX, IMAGES, CHANNELS)
    by_batch = embed(adaptive, tmp_path / "b", INDEX, IMAGES, CHANNELS, test_statistics="batch")
    by_training = embed(adaptive, tmp_path / "c", INDEX, IMAGES, CHANNELS, test_statistics="train")
    pd.testing.assert_frame_equal(by_recipe, by_batch)
    assert not np.allclose(features(by_recipe), features(by_training), atol=1e-2)


def test_batch_of_a_single_image_is_named(run, tmp_path):
    index = INDEX[(INDEX["experiment"] != "E01") | (INDEX["well"] == "B02")].reset_index(drop=True)
    with pytest.raises(DataError, match="E01: test statistics 'batch' would come from 1 image; at least two"):
        embed(run, tmp_path, index, IMAGES[: len(index)], CHANNELS, test_statistics="batch")


def test_larger_images_are_averaged_and_smaller_ones_refused(run, tmp_path, caplog):
    expected = embed(run, tmp_path / "own", INDEX, IMAGES, CHANNELS)
    with caplog.at_level(logging.INFO, "debatch"):
        larger = embed(run, tmp_path / "larger", INDEX, IMAGES.repeat(2, axis=2).repeat(2, axis=3), CHANNELS)
    np.testing.assert_allclose(features(larger), features(expected), atol=1e-4)
    assert "images of 64 x 64 pixels are area-averaged to 32 x 32" in caplog.text
    with pytest.raises(DataError, match=r"E00: images of 24 x 24 pixels are smaller than the model's input of 32 x 32"):
        embed(run, tmp_path / "smaller", INDEX, IMAGES[:, :, :24, :24], CHANNELS)


def test_channel_that_lacks_is_named_with_both_lists():
    with pytest.raises(DataError) as error:
        channel_positions(["DNA", "ER", "Actin"], ["DNA", "RNA", "AGP"])
    assert "was trained on the channels 'DNA', 'ER', 'Actin'" in str(error.value)
    assert "the screen has 'DNA', 'RNA', 'AGP' and lacks 'ER', 'Actin'." in str(error.value)
    assert "`source.channels`" in str(error.value)
    with pytest.raises(DataError, match=r"the screen's 'f_actin' looks like the model's 'F-Actin'"):
        channel_positions(["DNA", "F-Actin"], ["f_actin", "DNA"])
    with pytest.raises(DataError, match=r"lacks '\+'\. If"):
        channel_positions(["+"], ["-", "DNA"])


def test_stores_with_different_channels_are_told_apart(tmp_path):
    stores = write_stores(tmp_path, INDEX[INDEX["experiment"] == "E00"], IMAGES, CHANNELS)
    stores |= write_stores(tmp_path, INDEX[INDEX["experiment"] == "E01"], IMAGES, CHANNELS[::-1])
    with pytest.raises(DataError, match=r"E01\.zarr: channels Actin, ER, DNA, but DNA, ER, Actin in .*E00\.zarr"):
        ImageReader(stores, 1).channels(np.array(["E00", "E01"]))


def test_16_bit_channels_are_chosen_too():
    index = make_index(experiments=1, wells=4)
    images = make_images(index).astype(np.uint16) * 257
    statistics = normalization_statistics(index, measure(images).moments, ["c0", "c1", "c2"], "self")
    image_set = ImageSet(index, statistics, MemoryReader(index, images), torch.device("cpu"), ["c2", "c0"])
    (group,) = image_set.groups([np.array([3, 1])])
    np.testing.assert_array_equal(group.images.numpy(), images[[3, 1]][:, [2, 0]])
    torch.testing.assert_close(group.standardized(32).mean((2, 3)), torch.zeros(2, 2), atol=1e-4, rtol=0)


def test_what_a_run_says_of_its_model(tmp_path, tiny_recipe, monkeypatch):
    write_run(tmp_path / "seed0", tiny_recipe, screen="../my screen")
    monkeypatch.setenv("RUNS", str(tmp_path))
    model = read_trained_model("$RUNS/seed0")
    assert model.name == "my_screen-adabn-separated-seed0"
    assert model.recipe == tiny_recipe
    assert (model.facts.channels, model.facts.classes, model.facts.batches) == (CHANNELS, 4, ["E00", "E01"])


def test_a_model_is_read_without_torch(run):
    code = (
        "import sys; from debatch.config.trained import read_trained_model; "
        f"print(read_trained_model({str(run)!r}).name, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "tiny-adabn-separated-seed0 False\n"


def edit_record(run, change):
    path = run / "recipe.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_folders_that_are_no_finished_run(run, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: no such folder; a trained model is in results/"):
        read_trained_model(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"model.safetensors: a file; name the run's folder"):
        read_trained_model(run / "model.safetensors")
    with pytest.raises(ConfigError, match=r"no recipe.json and no model.safetensors in it"):
        read_trained_model(tmp_path)
    (run / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"seed0: no model.safetensors in it; .* its training has not finished"):
        read_trained_model(run)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"recipe.json: not valid JSON"),
        ("[]", r"recipe.json: expected a run's record, found list"),
        ('{"screen": "demo", "method": "x", "split": "s", "seed": 0}', r"not a run's record: it lacks 'recipe'"),
    ],
)
def test_records_that_are_none(run, text, message):
    (run / "recipe.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_trained_model(run)


def test_recipe_of_another_version(run):
    edit_record(run, lambda record: record["recipe"].update(pixel=32))
    with pytest.raises(ConfigError) as error:
        read_trained_model(run)
    assert "recipe.json: recipe: unknown key `pixel`; did you mean 'pixels'?" in str(error.value)
    assert "trained by debatch 0.0.7" in str(error.value)


def test_record_and_weights_of_different_runs(run):
    edit_record(run, lambda record: record["recipe"].update(epochs=7))
    with pytest.raises(ConfigError, match=r"seed0: recipe.json and model.safetensors are of different runs"):
        read_trained_model(run)


@pytest.mark.parametrize("content", [b"", b"no weights at all, but some bytes"])
def test_broken_weights(run, content):
    (run / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"model.safetensors: cannot be read as a trained model"):
        read_trained_model(run)


def test_of_a_screen_in_parts_those_images_are_embedded_that_have_the_models_channels(tmp_path, caplog):
    first, second = (INDEX[INDEX["experiment"] == name] for name in ("E00", "E01"))
    stores = write_stores(tmp_path, first, IMAGES[:, :2], ["RNA", "DNA"])
    stores |= write_stores(tmp_path, second, IMAGES, CHANNELS)
    with caplog.at_level(logging.INFO, "debatch"):
        embedded = with_channels(INDEX, ["ER", "DNA"], stores)
    assert embedded["image_id"].tolist() == second["image_id"].tolist()
    assert "images with the channels RNA, DNA lack ER: not embedded" in caplog.text
    with pytest.raises(DataError, match="the screen has 'RNA', 'DNA' and lacks 'Mito'"):
        with_channels(INDEX, ["Mito"], stores)


def test_images_of_another_shape_than_the_models_input_are_not_stretched(run, tmp_path):
    with pytest.raises(DataError, match=r"E00: images of 48 x 80 pixels would be stretched .* input of 32 x 32"):
        embed(run, tmp_path, INDEX, np.zeros((len(INDEX), 3, 48, 80), np.uint8), CHANNELS)
