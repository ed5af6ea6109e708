import numpy as np
import pandas as pd
import pytest

from debatch.embedding_table import with_features

WIDTH = 12


@pytest.fixture(scope="session")
def made_up():
    """Two cell types, three batches of each with shifts and scales, four perturbations and two kinds of controls."""
    return _made_up


@pytest.fixture
def screen(made_up):
    return made_up(0)


def _made_up(seed, replicates=5):
    generator = np.random.default_rng(seed)
    effects = generator.normal(0, 2, (6, WIDTH))
    rows, features = [], []
    for cell_type in ("HUVEC", "RPE"):
        for batch in range(1, 4):
            shift, scale = generator.normal(0, 1, WIDTH), generator.uniform(0.7, 1.4, WIDTH)
            for perturbation in range(6):
                for replicate in range(replicates):
                    rows.append(
                        {
                            "Metadata_Image": f"{cell_type}-{batch}_{perturbation}_{replicate}",
                            "Metadata_Batch": f"{cell_type}-{batch}",
                            "Metadata_CellType": cell_type,
                            "Metadata_WellType": ("positive_control", "negative_control", *4 * ("treatment",))[
                                perturbation
                            ],
                            "Metadata_Perturbation": f"p{perturbation}",
                        }
                    )
                    features.append((effects[perturbation] + generator.normal(size=WIDTH)) * scale + shift)
    return with_features(pd.DataFrame(rows), np.array(features))
