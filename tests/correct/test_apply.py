import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config.corrections import read_corrections, validate_corrections
from debatch.correct.apply import correct_table
from debatch.embedding_table import feature_names, features_of
from debatch.errors import ConfigError, DataError
from debatch.tabular import write_frame

SHIPPED = read_corrections(Path(__file__).parents[2] / "config" / "corrections.yaml")
EACH = pytest.mark.parametrize("correction", SHIPPED.values(), ids=SHIPPED.keys())
ON_COMPONENTS = {"sphering", "tvn", "harmony", "mnn"}


def _of(name, **keys):
    return SHIPPED[name].model_copy(update=keys)


def _same(first, second, tolerance=1e-4):
    np.testing.assert_allclose(features_of(first), features_of(second), atol=tolerance, rtol=1e-5)


@EACH
def test_rows_and_metadata_stay_and_features_are_named(screen, correction):
    screen.index += 7
    before = screen.copy()
    corrected = correct_table(screen, correction)
    metadata = [column for column in screen if column.startswith("Metadata_")]
    pd.testing.assert_frame_equal(corrected[metadata], screen[metadata])
    pd.testing.assert_frame_equal(screen, before)
    features = features_of(corrected)
    assert np.isfinite(features).all()
    assert {str(kind) for kind in corrected.dtypes[len(metadata) :]} == {"float32"}
    if correction.kind in ON_COMPONENTS:
        assert feature_names(corrected) == [f"component_{number:03d}" for number in range(features.shape[1])]
    else:
        assert feature_names(corrected) == feature_names(screen)


@EACH
def test_the_batch_tells_less(screen, correction):
    """Of the features' variance within cell types, the share that is between batches."""

    def share(table):
        features = pd.DataFrame(features_of(table)).groupby(table["Metadata_CellType"].to_numpy())
        within = features.transform(lambda values: values - values.mean())
        means = within.groupby(table["Metadata_Batch"].to_numpy()).transform("mean")
        return float((means**2).to_numpy().sum() / (within**2).to_numpy().sum())

    if correction.kind != "sphering":  # which makes controls white, and takes no batch away
        assert share(correct_table(screen, correction)) < 0.5 * share(screen)


@EACH
@given(seed=st.integers(0, 10**6))
@settings(max_examples=4)
def test_the_order_of_rows_is_nothing(made_up, correction, seed):
    table = made_up(seed)
    order = np.random.default_rng(seed).permutation(len(table))
    _same(correct_table(table.iloc[order], correction), correct_table(table, correction).iloc[order], 0)


@EACH
def test_perturbations_are_not_looked_at(screen, correction):
    shuffled = screen.assign(Metadata_Perturbation=screen["Metadata_Perturbation"].sample(frac=1, random_state=0).array)
    _same(correct_table(shuffled, correction), correct_table(screen, correction), 0)
    without = screen.drop(columns="Metadata_Perturbation")
    _same(correct_table(without, correction), correct_table(screen, correction), 0)


@EACH
def test_it_sees_what_it_says(screen, correction):
    """Controls: another treatment changes nothing but itself. Images: which wells are controls changes nothing."""
    if correction.sees == "images":
        relabelled = correct_table(screen.assign(Metadata_WellType="treatment"), correction)
        _same(relabelled, correct_table(screen, correction), 0)
        return
    changed = screen.copy()
    row = int(np.flatnonzero(screen["Metadata_WellType"] == "treatment")[0])
    changed.loc[row, feature_names(screen)] += np.float32(100)
    first, second = correct_table(screen, correction), correct_table(changed, correction)
    _same(first.drop(index=row), second.drop(index=row), 0)
    assert not np.allclose(features_of(first)[row], features_of(second)[row])


@EACH
def test_each_cell_type_is_by_itself(screen, correction):
    of = screen["Metadata_CellType"] == "HUVEC"
    changed = screen.copy()
    generator = np.random.default_rng(1)
    changed.loc[~of, feature_names(screen)] += generator.normal(0, 9, (int((~of).sum()), 12)).astype(np.float32)
    _same(correct_table(changed, correction)[of], correct_table(screen, correction)[of], 0)
    _same(correct_table(screen[of], correction), correct_table(screen, correction)[of], 0)


@EACH
def test_embeddings_that_are_no_numbers_are_left_out(screen, correction, caplog):
    broken = screen.copy()
    features = feature_names(screen)
    broken.loc[3, features[0]] = np.nan
    broken.loc[40, features] = np.inf
    corrected = correct_table(broken, correction)
    assert "2 of 180 embeddings are not finite" in caplog.text
    rest = broken.index.difference([3, 40])
    assert np.isnan(features_of(corrected)[[3, 40]]).all()
    _same(corrected.loc[rest], correct_table(screen.loc[rest], correction), 0)


@EACH
def test_dead_features_and_empty_embeddings_do_no_harm(screen, correction):
    features = feature_names(screen)
    screen[features[0]] = np.float32(0.1)
    screen.loc[screen["Metadata_Batch"] == "RPE-1", features[1]] = np.float32(0.3)
    screen.loc[5, features[2:]] = 0
    corrected = correct_table(screen, correction)
    assert np.isfinite(features_of(corrected)).all()
    if correction.kind in {"znorm", "mad_robustize"}:
        assert (corrected[features[0]] == 0).all()
        assert (corrected.loc[screen["Metadata_Batch"] == "RPE-1", features[1]] == 0).all()


@pytest.mark.parametrize("name", ["znorm", "mad_robustize", "tvn"])
def test_a_batch_without_controls_is_named(screen, name):
    screen.loc[screen["Metadata_Batch"] == "RPE-2", "Metadata_WellType"] = "treatment"
    with pytest.raises(DataError, match=r"cell type RPE: fewer than 2 .* RPE-2 \(0\): choose .*combat.*`well_types`"):
        correct_table(screen, SHIPPED[name])
    for other in SHIPPED.keys() - {"znorm", "mad_robustize", "tvn"}:
        correct_table(screen, SHIPPED[other])


def test_sphering_takes_controls_of_any_batch_of_the_cell_type(screen):
    screen.loc[screen["Metadata_CellType"] == "RPE", "Metadata_WellType"] = "treatment"
    with pytest.raises(DataError, match="sphering, cell type RPE: 0 controls"):
        correct_table(screen, SHIPPED["sphering"])


@pytest.mark.parametrize("name", ["znorm_all", "combat"])
def test_a_batch_of_one_image_is_named(screen, name):
    with pytest.raises(DataError, match="RPE-2"):
        correct_table(screen.drop(index=screen.index[screen["Metadata_Batch"] == "RPE-2"][1:]), SHIPPED[name])


@pytest.mark.parametrize("name", ["combat", "harmony", "mnn"])
def test_one_batch_in_a_cell_type_comes_through(screen, name, caplog):
    one = screen[(screen["Metadata_CellType"] == "RPE") | (screen["Metadata_Batch"] == "HUVEC-1")]
    corrected = correct_table(one, SHIPPED[name])
    assert "cell type HUVEC has one batch, HUVEC-1: " in caplog.text
    assert "RPE has one batch" not in caplog.text
    if name == "combat":
        of = one["Metadata_CellType"] == "HUVEC"
        _same(corrected[of], one[of], 0)


@pytest.mark.parametrize("name", sorted(ON_COMPONENTS))
def test_all_cell_types_have_the_components_of_the_smallest(screen, name, caplog):
    """Of RPE only eight images in two batches are left, four of them controls."""
    kept = (screen["Metadata_CellType"] == "HUVEC") | (
        screen["Metadata_Batch"].isin(["RPE-1", "RPE-2"])
        & screen["Metadata_Perturbation"].isin(["p0", "p2"])
        & screen["Metadata_Image"].str.endswith(("_0", "_1"))
    )
    few = screen[kept]
    corrected = correct_table(few, SHIPPED[name])
    width = 3 if name in {"sphering", "tvn"} else 7
    assert features_of(corrected).shape[1] == width
    assert f"{width} of {SHIPPED[name].components} components" in caplog.text
    of = few["Metadata_CellType"] == "HUVEC"
    alone = correct_table(few[of], _of(name, components=width))
    _same(corrected[of], alone, 0)


def test_columns_that_are_not_there_are_named(screen):
    with pytest.raises(DataError, match="without Metadata_WellType"):
        correct_table(screen.drop(columns="Metadata_WellType"), SHIPPED["znorm"])
    with pytest.raises(DataError, match="with empty Metadata_Batch"):
        correct_table(screen.assign(Metadata_Batch=None), SHIPPED["znorm"])
    with pytest.raises(DataError, match="none of 180 embeddings is finite"):
        correct_table(screen.assign(**{feature_names(screen)[0]: np.float32(np.nan)}), SHIPPED["znorm"])


def test_numbers_too_large_for_a_file_are_an_error(screen):
    controls = screen["Metadata_WellType"] != "treatment"
    screen.loc[controls, feature_names(screen)[0]] = np.where(np.arange(controls.sum()) % 2, 0, 1e-40).astype(
        np.float32
    )
    with pytest.raises(DataError, match="too large for float32"):
        correct_table(screen, SHIPPED["znorm"])


@pytest.mark.filterwarnings("ignore:.*copy_on_write")
@pytest.mark.parametrize(("name", "method"), [("znorm", "standardize"), ("mad_robustize", "mad_robustize")])
def test_pycytominer_agrees_on_the_same_file(screen, tmp_path, name, method):
    import pycytominer
    from pycytominer.cyto_utils import load_profiles

    corrected = correct_table(screen, SHIPPED[name])
    write_frame(screen, tmp_path / "train.parquet")
    profiles = load_profiles(tmp_path / "train.parquet")
    for batch, rows in profiles.groupby("Metadata_Batch"):
        normalized = pycytominer.normalize(
            rows,
            features=feature_names(screen),
            meta_features=["Metadata_Image"],
            samples="Metadata_WellType != 'treatment'",
            method=method,
        )
        own = corrected[corrected["Metadata_Batch"] == batch]
        assert list(normalized["Metadata_Image"]) == list(own["Metadata_Image"])
        np.testing.assert_allclose(normalized[feature_names(screen)], features_of(own), rtol=1e-4, atol=1e-5)


def test_heavy_libraries_wait_until_they_are_needed():
    code = "import sys, debatch.correct.apply; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "sklearn", "harmonypy", "pycytominer", "anndata", "matplotlib"} & set(loaded)


def test_what_each_shipped_correction_sees():
    seen = {name: correction.sees for name, correction in SHIPPED.items()}
    controls = {"znorm", "mad_robustize", "sphering", "tvn"}
    assert {name for name in seen if seen[name] == "controls"} == controls
    assert {name for name in seen if seen[name] == "images"} == {"znorm_all", "combat", "harmony", "mnn"}
    assert _of("mad_robustize", reference="all").sees == "images"
    assert all(correction.title and correction.description for correction in SHIPPED.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"none": {"kind": "znorm"}}, "f.yaml: `none` is the name of embeddings as they are"),
        ({"training": {"kind": "znorm"}}, "f.yaml: `training` is the name of embeddings of training images"),
        ({"Znorm": {"kind": "znorm"}}, "f.yaml: `Znorm`: a correction's name is lower case"),
        ({"a": {"kind": "zscore"}}, "f.yaml: a: no kind 'zscore'"),
        ({"a": {"kind": "hamony"}}, "did you mean 'harmony'"),
        ({"a": None}, "f.yaml: a: the key `kind` is missing"),
        ({"a": {"kind": "combat", "components": 3}}, "f.yaml: a: unknown key `components`"),
        ({"a": {"kind": "tvn", "ridge": "1e-3"}}, "write 1.0e-3"),
        ({"a": {"kind": "sphering", "ridge": 0.0}}, "`ridge`: expected"),
        (["znorm"], "f.yaml: expected corrections by name"),
    ],
)
def test_wrong_corrections_are_named(data, message):
    with pytest.raises(ConfigError) as error:
        validate_corrections(data, "f.yaml")
    assert message in str(error.value)
