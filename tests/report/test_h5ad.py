import anndata
import numpy as np
import pandas as pd
import pytest

from debatch.embedding_table import METADATA, embedding_table
from debatch.report.h5ad import write_h5ad
from debatch.tabular import read_frame, write_frame


@pytest.fixture
def table(tmp_path):
    """As a job reads it: from Parquet, with what is missing on a screen without all labels."""
    rows = pd.DataFrame(
        {
            "image_id": [f"E00_1_B0{n}_1" for n in range(2, 6)],
            "experiment": "E00",
            "plate": ["1", "1", "2", "2"],
            "well": ["B02", "B03", "B04", "B05"],
            "site": ["1", "1.01", "1", "2"],
            "cell_type": "U2OS",
            "well_type": ["treatment", "negative_control", "treatment", "treatment"],
            "perturbation": ["taxol", "DMSO", None, "α-amanitin"],
            "label": pd.array([1, 0, None, 2], dtype="Int64"),
            "batch": "E00",
        }
    )
    features = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    features[1, 3] = np.nan
    write_frame(embedding_table(rows, features), tmp_path / "batch.parquet", {"inference": "batch"})
    return read_frame(tmp_path / "batch.parquet")


def there_and_back(table, path, **about):
    write_h5ad(table, path, about)
    return anndata.read_h5ad(path)


def test_embeddings_come_back_whole(table, tmp_path):
    data = there_and_back(table, tmp_path / "new/batch.h5ad", inference="batch", model="demo-adabn-separated-seed0")
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X, table.filter(regex="^embedding_"))
    assert data.var_names.tolist() == [f"embedding_{n:02d}" for n in range(12)]
    assert data.obs_names.tolist() == table["Metadata_Image"].tolist()
    assert data.uns == {"inference": "batch", "model": "demo-adabn-separated-seed0"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["batch.h5ad"]


def test_all_metadata_come_back_with_what_is_missing(table, tmp_path):
    obs = there_and_back(table, tmp_path / "batch.h5ad").obs
    assert list(obs.columns) == list(METADATA.values())
    for name in METADATA.values():
        assert obs[name].isna().tolist() == table[name].isna().tolist(), name
        assert obs[name].dropna().tolist() == table[name].dropna().tolist(), name
    assert obs["Metadata_Label"].dtype == "Int64"
    assert isinstance(obs["Metadata_Perturbation"].dtype, pd.CategoricalDtype)


def test_own_columns_come_back_too_and_none_takes_anothers_name(table, tmp_path):
    own = {"Metadata_a/b": list("wxyz"), "Metadata_a_b": ["1.5", None, "2", "2"], "Metadata_Site_Count": list("1234")}
    obs = there_and_back(table.assign(**own), tmp_path / "batch.h5ad").obs
    assert obs["Metadata_a_b"].dropna().tolist() == ["1.5", "2", "2"]
    assert obs["Metadata_a_b_"].tolist() == list("wxyz")
    assert obs["Metadata_Site_Count"].tolist() == list("1234")


def test_columns_of_any_kind_can_be_written(table, tmp_path):
    """Profiles made elsewhere bring columns of their own."""
    own = table.assign(
        **{
            "Metadata_Dose_uM": pd.array([0.5, None, 1.0, 2.0], dtype="Float64"),
            "Metadata_Date": pd.to_datetime(["2024-05-01", None, "2024-05-03", "2024-05-03"]),
            "Metadata_Flag": pd.array([True, None, False, True], dtype="boolean"),
            "Metadata_Kept": [True, True, False, True],
            "Metadata_Count": np.arange(4, dtype=np.uint16),
            "Metadata_Nothing": [None] * 4,
            "Metadata_Mixed": ["a", 1, None, 2.5],
            "Metadata_Cat": pd.Categorical(["x", None, "y", "x"]),
            "Metadata_ng/ml": [1, 2, 3, 4],
        }
    ).drop(columns="Metadata_Image")
    data = there_and_back(own, tmp_path / "own.h5ad")
    assert data.obs_names.tolist() == ["0", "1", "2", "3"]
    assert data.n_vars == 12
    obs = data.obs
    np.testing.assert_array_equal(obs["Metadata_Dose_uM"], [0.5, np.nan, 1.0, 2.0])
    assert obs["Metadata_Date"].dropna().tolist() == ["2024-05-01", "2024-05-03", "2024-05-03"]
    assert obs["Metadata_Flag"].isna().tolist() == [False, True, False, False]
    assert obs["Metadata_Kept"].tolist() == [True, True, False, True]
    assert obs["Metadata_Count"].tolist() == [0, 1, 2, 3]
    assert obs["Metadata_Nothing"].isna().all()
    assert obs["Metadata_Mixed"].dropna().tolist() == ["a", "1", "2.5"]
    assert obs["Metadata_Cat"].dropna().tolist() == ["x", "y", "x"]
    assert obs["Metadata_ng_ml"].tolist() == [1, 2, 3, 4]


def test_no_images_at_all(table, tmp_path):
    assert there_and_back(table[:0], tmp_path / "none.h5ad").shape == (0, 12)


def test_a_failed_write_leaves_what_was_there(table, tmp_path, monkeypatch):
    write_h5ad(table, tmp_path / "batch.h5ad", {})
    before = (tmp_path / "batch.h5ad").read_bytes()

    def fail(self, path):
        path.write_bytes(b"half")
        raise OSError("killed")

    monkeypatch.setattr(anndata.AnnData, "write_h5ad", fail)
    with pytest.raises(OSError, match="killed"):
        write_h5ad(table, tmp_path / "batch.h5ad", {})
    assert (tmp_path / "batch.h5ad").read_bytes() == before
    assert len(list(tmp_path.glob("*h5ad*"))) == 1
