"""The simulated screen: its shape, its repeatability, and the truth planted in it."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from debatch.config.simulation import SimulationConfig
from debatch.errors import ConfigError
from debatch.screen.simulate import experiment as simulate
from debatch.screen.simulate.cells import draw_fields
from debatch.screen.simulate.effects import TRAITS, batch_effects, plate_effect, stream
from debatch.screen.simulate.experiment import (
    CHANNELS,
    RANGE,
    planted_effects,
    plate_layouts,
    simulate_experiment,
    write_experiment,
)

TINY = SimulationConfig(
    experiments={"ALPHA": 2, "BETA": 1},
    plates=1,
    sites=1,
    treatments=3,
    treatment_wells=1,
    positive_controls=1,
    positive_control_wells=1,
    empty_wells=2,
    pixels=32,
)
# One class, so that experiments differ by their batch alone.
UNTREATED = TINY.model_copy(
    update={
        "experiments": {"ALPHA": 6},
        "treatments": 1,
        "positive_controls": 0,
        "empty_wells": 47,
        "strength": 0.0,
        "pixels": 48,
    }
)


def test_default_experiment_has_a_row_an_image_in_order():
    rows, images = simulate_experiment(SimulationConfig(), "BETA-02")
    assert images.shape == (192, len(CHANNELS), 64, 64)
    assert images.dtype == np.uint16
    assert list(rows.columns) == [
        "experiment",
        "plate",
        "well",
        "site",
        "cell_type",
        "well_type",
        "perturbation",
    ]
    assert rows.equals(rows.sort_values(["plate", "well", "site"], ignore_index=True))
    assert set(rows["experiment"]) == {"BETA-02"}
    assert set(rows["cell_type"]) == {"BETA"}
    assert sorted(rows["site"].unique()) == [1, 2]
    assert not rows.duplicated(["plate", "well", "site"]).any()


def test_layout_counts_of_every_plate():
    layouts = plate_layouts(SimulationConfig())
    assert layouts["experiment"].unique().tolist() == SimulationConfig().experiment_names()
    assert layouts["perturbation"].nunique() == 20
    for _, plate in layouts.groupby(["experiment", "plate"]):
        assert len(plate) == plate["well"].nunique() == 48
        wells = plate.groupby("well_type")["perturbation"].value_counts()
        assert (wells["treatment"] == 2).all()
        assert (wells["positive_control"] == 4).all()
        assert wells["negative_control"].to_dict() == {"EMPTY": 4}


def test_wells_lie_on_the_smallest_inner_grid():
    wells = set(plate_layouts(SimulationConfig())["well"])
    assert wells == {f"{row}{column:02d}" for row in "BCDEFG" for column in range(2, 10)}


def test_position_says_nothing_about_the_class():
    layouts = plate_layouts(SimulationConfig())
    plates = layouts.pivot(index="well", columns=["experiment", "plate"], values="perturbation")
    assert not plates.T.duplicated().any()
    empty = (plates == "EMPTY").mean(axis=1)
    # 4 of 48 wells on each of 24 plates: a fixed place would give 1.
    assert empty.max() < 0.4


def test_layouts_follow_the_seed():
    other = SimulationConfig(seed=1)
    assert plate_layouts(other).equals(plate_layouts(other))
    assert not plate_layouts(other).equals(plate_layouts(SimulationConfig()))


def test_experiment_is_the_same_alone_and_after_another():
    rows, alone = simulate_experiment(TINY, "ALPHA-02")
    _, first = simulate_experiment(TINY, "ALPHA-01")
    rows_again, after = simulate_experiment(TINY, "ALPHA-02")
    assert rows.equals(rows_again)
    assert np.array_equal(alone, after)
    assert not np.array_equal(alone, first)


def test_other_cell_types_do_not_change_an_experiment():
    fewer = TINY.model_copy(update={"experiments": {"ALPHA": 2}})
    assert np.array_equal(simulate_experiment(fewer, "ALPHA-01")[1], simulate_experiment(TINY, "ALPHA-01")[1])


def test_seed_changes_the_images():
    other = TINY.model_copy(update={"seed": 1})
    assert not np.array_equal(simulate_experiment(TINY, "BETA-01")[1], simulate_experiment(other, "BETA-01")[1])


@pytest.mark.parametrize("changes", [{}, {"positive_controls": 0, "treatments": 1}, {"pixels": 100}])
def test_small_screens_work(changes):
    config = TINY.model_copy(update=changes)
    for experiment in config.experiment_names():
        rows, images = simulate_experiment(config, experiment)
        assert images.shape == (len(rows), len(CHANNELS), config.pixels, config.pixels)
        assert (images.std(axis=(2, 3)) > 0).all()


def test_many_classes_have_distinct_effects_and_names():
    config = TINY.model_copy(update={"treatments": 120})
    effects = planted_effects(config).loc["ALPHA"]
    assert len(effects) == effects.index.nunique() == 122
    assert {"T001", "T120", "P1", "EMPTY"} <= set(effects.index)
    assert not effects.duplicated().any()


def test_unknown_experiment_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"GAMMA-01.*ALPHA-01, ALPHA-02, BETA-01"):
        simulate_experiment(TINY, "GAMMA-01")


def test_range_holds_nearly_all_pixels():
    config = SimulationConfig()
    above = [(simulate_experiment(config, experiment)[1] > RANGE[1]).mean() for experiment in config.experiment_names()]
    assert np.mean(above) < 0.01


def test_effects_scale_with_strength_and_leave_empty_alone():
    one, two = (planted_effects(SimulationConfig(strength=strength)) for strength in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one)
    assert (one.xs("EMPTY", level="perturbation") == 0).all(axis=None)
    assert ((one != 0).sum(axis=1).drop("EMPTY", level="perturbation") == 4).all()
    assert list(one.columns) == list(TRAITS)
    assert not np.allclose(one.loc["ALPHA"], one.loc["BETA"])


def test_batch_effects_are_balanced_over_a_cell_type():
    effects = [effect for name, effect in batch_effects(SimulationConfig()).items() if name.startswith("ALPHA")]
    np.testing.assert_allclose(np.mean([effect.traits for effect in effects], axis=0), 0, atol=1e-12)
    blurs = np.sort([effect.blur for effect in effects], axis=0)
    np.testing.assert_allclose(blurs, np.repeat(blurs[:, :1], len(CHANNELS), axis=1))


def test_no_batch_effect_leaves_one_distribution():
    config = SimulationConfig(batch_effect=0.0)
    effects = list(batch_effects(config).values())
    for effect in effects:
        assert (effect.traits == 0).all()
        assert (effect.gamma == 1).all()
        assert (effect.bleed == 0).all()
        assert (effect.illumination == 0).all()
        assert (effect.haze == 0).all()
        assert (effect.log_gain == 0).all()
        assert (effect.offset == 0).all()
        np.testing.assert_array_equal(effect.blur, effects[0].blur)
        np.testing.assert_array_equal(effect.noise, effects[0].noise)
    plate = plate_effect(config, "ALPHA-01", 2)
    assert (plate.log_gain == 0).all()
    assert (plate.offset == 0).all()


def _between_experiments(config: SimulationConfig) -> float:
    """F ratio (between to within experiments; 1 by chance) of the sharpness, averaged over channels."""
    sharpness = []
    for experiment in config.experiment_names():
        images = simulate_experiment(config, experiment)[1].astype(np.float64)
        centre, spread = (f(images, axis=(2, 3), keepdims=True) for f in (np.mean, np.std))
        standardized = (images - centre) / spread
        sharpness.append(np.log(np.abs(np.diff(standardized, axis=3)).mean(axis=(2, 3))))
    values = np.stack(sharpness)
    n = values.shape[1]
    return float((n * values.mean(axis=1).var(axis=0, ddof=1) / values.var(axis=1, ddof=1).mean(axis=0)).mean())


def test_experiments_differ_by_their_batch_effect_alone():
    assert _between_experiments(UNTREATED) > 20
    assert _between_experiments(UNTREATED.model_copy(update={"batch_effect": 0.0})) < 2


@pytest.mark.parametrize("trait", ["nuc_size", "cell_size", "rna_cyt", "mito_rad"])
def test_traits_can_be_seen(trait):
    channel = {"nuc_size": 0, "cell_size": 1, "rna_cyt": 3, "mito_rad": 4}[trait]
    pictures = []
    for value in (-2.0, 2.0):
        traits = np.zeros((40, len(TRAITS)))
        traits[:, TRAITS.index(trait)] = value
        pictures.append(draw_fields(traits, (48, 48), seed=0, rng=stream(0, "test"))[:, channel])
    low, high = (np.mean(picture > 0.1) for picture in pictures)
    assert high > 1.1 * low


def test_a_planted_nuclear_size_is_measured():
    config = SimulationConfig(experiments={"ALPHA": 1}, batch_effect=0.0, sites=4)
    effects = planted_effects(config).loc["ALPHA", "nuc_size"]
    rows, images = simulate_experiment(config, "ALPHA-01")
    area = pd.Series([_median_nuclear_area(image[0]) for image in images]).groupby(rows["perturbation"]).median()
    largest, smallest = effects.idxmax(), effects.idxmin()
    assert effects[smallest] < -1 < 1 < effects[largest]
    assert area[smallest] < area["EMPTY"] < area[largest]


def _median_nuclear_area(dna: np.ndarray) -> float:
    """Of the bright spots of the DNA channel; half the brightest signal tells nuclei from background."""
    smooth = ndimage.gaussian_filter(dna.astype(float), 0.7)
    low, high = np.percentile(smooth, [20, 99.5])
    labels, n = ndimage.label(smooth > (low + high) / 2)
    areas = ndimage.sum_labels(np.ones_like(smooth), labels, np.arange(1, n + 1))
    return float(np.median(areas[areas > 10])) if (areas > 10).any() else np.nan


def test_fewer_channels_are_the_first_of_the_same_images(tmp_path):
    few = TINY.model_copy(update={"channels": 2})
    np.testing.assert_array_equal(
        simulate_experiment(few, "BETA-01")[1], simulate_experiment(TINY, "BETA-01")[1][:, :2]
    )
    assert set(write_experiment(few, "BETA-01", tmp_path)["channel"]) == {1, 2}


def test_written_files_are_the_images(tmp_path):
    files = write_experiment(TINY, "BETA-01", tmp_path)
    rows, images = simulate_experiment(TINY, "BETA-01")
    assert len(files) == len(rows) * len(CHANNELS)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.tif"))
    assert written == sorted(files["file"])
    for i, row in rows.iterrows():
        for channel in range(len(CHANNELS)):
            name = f"BETA-01/Plate{row['plate']}/{row['well']}_s{row['site']}_w{channel + 1}.tif"
            read = tifffile.imread(tmp_path / name)
            assert read.dtype == np.uint16
            np.testing.assert_array_equal(read, images[i, channel])
    first = files.iloc[0]
    assert first["file"] == f"BETA-01/Plate1/{first['well']}_s1_w1.tif"
    assert [path.name for path in tmp_path.iterdir()] == ["BETA-01"]


def test_leftovers_of_a_killed_call_are_replaced(tmp_path):
    for folder in ("ALPHA-01", "ALPHA-01.part"):
        (tmp_path / folder / "Plate9").mkdir(parents=True)
        (tmp_path / folder / "Plate9" / "stale.tif").touch()
    write_experiment(TINY, "ALPHA-01", tmp_path)
    assert not list(tmp_path.rglob("stale.tif"))
    assert [path.name for path in tmp_path.iterdir()] == ["ALPHA-01"]


def test_failed_writing_leaves_nothing(tmp_path, monkeypatch):
    calls = []
    write = tifffile.imwrite

    def full_disk(path, *args, **kwargs):
        calls.append(path)
        if len(calls) > 5:
            raise OSError("No space left on device")
        write(path, *args, **kwargs)

    monkeypatch.setattr(simulate.tifffile, "imwrite", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_experiment(TINY, "ALPHA-01", tmp_path)
    assert len(calls) == 6
    assert list(tmp_path.iterdir()) == []


def test_hits_only_fill_a_plate_and_change_nothing_else():
    config = SimulationConfig(hits_only={"ALPHA-02": ["T03", "P1"]})
    usual, held = plate_layouts(SimulationConfig()), plate_layouts(config)
    others = usual["experiment"] != "ALPHA-02"
    assert held[others].equals(usual[others])
    plates = held[~others].groupby("plate")["perturbation"].value_counts().unstack()
    assert (plates[["T03", "P1"]] == 24).all(axis=None)
    assert len(plates.columns) == 2
    assert set(held.loc[held["perturbation"] == "P1", "well_type"]) == {"positive_control"}


def test_spread_treatments_are_once_an_experiment_and_controls_on_every_plate():
    """Sets are the same in all experiments, and a plate's number does not tell which it holds."""
    config = SimulationConfig(treatments=10, treatment_wells=1, plates=4, spread_treatments=True)
    layouts = plate_layouts(config)
    treatments = layouts[layouts["well_type"] == "treatment"]
    assert (treatments.groupby("experiment")["perturbation"].value_counts() == 1).all()
    assert treatments.groupby("experiment").size().eq(10).all()
    controls = layouts[layouts["well_type"] != "treatment"].groupby(["experiment", "plate"])["perturbation"]
    assert (controls.nunique() == 4).all()
    sets = treatments.groupby(["experiment", "plate"])["perturbation"].agg(frozenset).unstack("plate")
    assert sets.stack().nunique() == 4
    assert (sets.nunique() > 1).all()
    assert not layouts.duplicated(["experiment", "plate", "well"]).any()
    rows, images = simulate_experiment(config, "BETA-01")
    assert len(images) == len(rows) == 2 * (10 + 4 * (3 * 4 + 4))


def test_hits_of_any_plate_fill_the_plates_of_a_spread_screen():
    config = SimulationConfig(plates=4, spread_treatments=True, hits_only={"BETA-01": ["T01", "T16"]})
    held = plate_layouts(config).query("experiment == 'BETA-01'").groupby("plate")["perturbation"].value_counts()
    assert len(held) == 8
    assert (held == 12).all()


def test_fewer_treatments_than_plates_cannot_be_spread():
    with pytest.raises(ValueError, match="3 treatments do not fill 4 plates"):
        SimulationConfig(treatments=3, plates=4, spread_treatments=True)


@pytest.mark.parametrize(
    ("hits", "message"),
    [
        ({"ALPHA-99": ["T01"]}, "no experiment 'ALPHA-99'"),
        ({"ALPHA-01": ["T99"]}, "no class 'T99'"),
        ({"ALPHA-01": []}, "no class 'nothing'"),
    ],
)
def test_hits_that_are_not_there_are_refused(hits, message):
    with pytest.raises(ValueError, match=message):
        SimulationConfig(hits_only=hits)


def test_treatments_of_one_mechanism_are_alike_and_the_metadata_names_it():
    alone = SimulationConfig(treatments=12, experiments={"ALPHA": 1})
    shared = alone.model_copy(update={"mechanisms": 3})
    layouts = plate_layouts(shared)
    assert "mechanism" not in plate_layouts(alone)
    treatments = layouts[layouts["well_type"] == "treatment"]
    assert treatments.groupby("mechanism")["perturbation"].nunique().to_dict() == {"M1": 4, "M2": 4, "M3": 4}
    assert set(layouts.loc[layouts["well_type"] != "treatment", "mechanism"]) == {""}
    effects, before = (planted_effects(config).loc["ALPHA"].filter(regex="^T", axis=0) for config in (shared, alone))
    directions = effects.to_numpy() / np.linalg.norm(effects, axis=1, keepdims=True)
    similar = directions @ directions.T
    mechanism = np.array([shared.mechanism_of()[name] for name in effects.index])
    same = mechanism[:, None] == mechanism
    others = ~np.eye(len(effects), dtype=bool)
    assert similar[same & others].mean() > 0.3 > 0.2 > similar[~same].mean()
    # as strong as those that are by themselves
    assert np.linalg.norm(effects, axis=1).mean() == pytest.approx(np.linalg.norm(before, axis=1).mean(), rel=0.25)
    controls = [planted_effects(config).loc["ALPHA"].filter(regex="^P", axis=0) for config in (shared, alone)]
    assert controls[0].shape == (3, len(TRAITS))
    with pytest.raises(ValueError, match="each needs two treatments or more"):
        SimulationConfig(treatments=4, mechanisms=3)
