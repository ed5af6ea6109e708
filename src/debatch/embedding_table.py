"""The format of embeddings, ours and anyone's: `Metadata_*` columns, then one float32 column a feature; of predictions.

It is the field's convention, so that pycytominer and copairs read our files as they are, and we read theirs.
"""

import numpy as np
import pandas as pd

# The index's columns under the names that pycytominer and copairs know.
METADATA = {
    "image_id": "Metadata_Image",
    "experiment": "Metadata_Experiment",
    "plate": "Metadata_Plate",
    "well": "Metadata_Well",
    "site": "Metadata_Site",
    "cell_type": "Metadata_CellType",
    "well_type": "Metadata_WellType",
    "perturbation": "Metadata_Perturbation",
    "label": "Metadata_Label",
    "batch": "Metadata_Batch",
}
# Where the screen names them.
OPTIONAL = {"compound": "Metadata_Compound", "mechanism": "Metadata_Mechanism"}
# of the index alone: where an image is stored, and what was measured of its pixels
_OF_THE_STORE = ("part", "store_row", "qc_flags", "official_subset")
QC_PREFIXES = ("intensity_", "saturation_", "focus_", "foreground_", "clipped_", "cut_off_")
_PREFIX = "Metadata_"
# before the name of a user's column that means something else here; the index does likewise
_SOURCE = "source_"
# of each image the classes that are most probable, with their log-probabilities: what any metric of predictions needs
TOP = 10
_ROWS_AT_ONCE = 4096


def embedding_table(rows: pd.DataFrame, features: np.ndarray, names: list[str] | None = None) -> pd.DataFrame:
    """Features with the metadata of their images, the user's own columns last.

    Args:
        rows: (N, …) of the index.
        features: (N, D).
        names: of the features; None: `embedding_0`, ….
    """
    columns = {**METADATA, **{column: name for column, name in OPTIONAL.items() if column in rows}, **own_names(rows)}
    metadata = rows[list(columns)].rename(columns=columns).reset_index(drop=True)
    return with_features(metadata, features, names)


def own_names(rows: pd.DataFrame) -> dict[str, str]:
    """The user's own columns of the index -> their names as metadata; without those that only say again what is there.

    They are text as the index has it, and no categories: grouped by these, older pandas would make rows of all pairs.
    """
    fixed = {**METADATA, **OPTIONAL}
    columns_of = {name: column for column, name in fixed.items()}
    names: dict[str, str] = {}
    for column in sorted(rows.columns, key=lambda column: not column.startswith(_PREFIX)):  # these keep their names
        if column in fixed or column in _OF_THE_STORE or column.startswith(QC_PREFIXES):
            continue
        name = _PREFIX + column.removeprefix(_PREFIX)
        if columns_of.get(name) in rows and _say_the_same(rows[column], rows[columns_of[name]]):
            continue
        # `Metadata_Compound` is a compound to metrics only where the screen says so
        while name in columns_of or name in names.values():
            name = _PREFIX + _SOURCE + name.removeprefix(_PREFIX)
        names[column] = name
    return {column: names[column] for column in rows.columns if column in names}


def _say_the_same(own: pd.Series, ours: pd.Series) -> bool:
    return own.astype("str").equals(ours.astype("str"))


def own_metadata(table: pd.DataFrame) -> list[str]:
    """The user's own `Metadata_*` columns of a table of embeddings."""
    known = {*METADATA.values(), *OPTIONAL.values()}
    return [str(column) for column in table.columns if str(column).startswith(_PREFIX) and column not in known]


def with_features(metadata: pd.DataFrame, features: np.ndarray, names: list[str] | None = None) -> pd.DataFrame:
    """`Metadata_*` columns (N, …) and features (N, D) as one table."""
    if names is None:
        width = len(str(features.shape[1] - 1))
        names = [f"embedding_{feature:0{width}d}" for feature in range(features.shape[1])]
    columns = pd.DataFrame(features.astype(np.float32), columns=names, index=metadata.index)
    return pd.concat([metadata, columns], axis=1)


def features_of(table: pd.DataFrame) -> np.ndarray:
    """(N, D) float32: all columns but the `Metadata_*` ones."""
    return table.loc[:, ~table.columns.str.startswith(_PREFIX)].to_numpy(np.float32)


def feature_names(table: pd.DataFrame) -> list[str]:
    """The columns of `features_of`."""
    return [str(column) for column in table.columns if not str(column).startswith(_PREFIX)]


def images_of(table: pd.DataFrame) -> pd.DataFrame:
    """The images by the names of the index; the user's own `Metadata_*` columns keep theirs."""
    metadata = table.loc[:, table.columns.str.startswith(_PREFIX)]
    return metadata.rename(columns={name: column for column, name in {**METADATA, **OPTIONAL}.items()})


def with_direction(table: pd.DataFrame) -> pd.DataFrame:
    """The embeddings that are finite and not all zero: the others have no direction, and so no similarity."""
    features = features_of(table)
    return table[np.isfinite(features).all(axis=1) & (features != 0).any(axis=1)].reset_index(drop=True)


def prediction_table(
    rows: pd.DataFrame,
    log_probabilities: np.ndarray,
    classes: np.ndarray | None = None,
    batch_predicted: np.ndarray | None = None,
    statistics: np.ndarray | None = None,
) -> pd.DataFrame:
    """Predictions of images.

    Columns: image_id, label, predicted, predicted_well, batch, batch_predicted, log_probability (of the label),
    statistics_images; of the `TOP` most probable classes `class_1`, … and `log_probability_1`, … (empty beyond
    K); and the user's own, as beside embeddings.

    Args:
        rows: (N, …) of the index.
        log_probabilities: (N, K).
        classes: (K,) the label of each column; None: its number.
        batch_predicted: (N,); None: nothing predicts batches.
        statistics: (N,) how many images the batch-norm statistics come from; None: there are none.
    """
    classes = np.arange(log_probabilities.shape[1]) if classes is None else classes
    # a well's prediction: mean of its images' log-probabilities
    well = rows.groupby(["experiment", "plate", "well"], sort=False).ngroup().to_numpy()
    total = np.zeros((well.max(initial=-1) + 1, len(classes)))
    np.add.at(total, well, log_probabilities)
    column = rows["label"].map({label: at for at, label in enumerate(classes.tolist())}).astype("Float64")
    known = column.notna().to_numpy()
    own = np.full(len(rows), np.nan)
    own[known] = log_probabilities[np.flatnonzero(known), column[known].to_numpy(np.int64)]
    return pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "label": rows["label"],
            "predicted": classes[log_probabilities.argmax(1)],
            "predicted_well": classes[total.argmax(1)[well]],
            "batch": rows["batch"],
            "batch_predicted": pd.Series(None, rows.index, "str") if batch_predicted is None else batch_predicted,
            "log_probability": own,
            "statistics_images": 0 if statistics is None else statistics,
            **top_classes(log_probabilities, classes),
            **{name: rows[column] for column, name in own_names(rows).items()},
        }
    )


def top_columns(what: str, count: int = TOP) -> list[str]:
    """The columns of the most probable classes (`class`) or of their log-probabilities (`log_probability`)."""
    return [f"{what}_{rank}" for rank in range(1, count + 1)]


def top_classes(log_probabilities: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """The most probable classes of N images, the first of equals first; -1 and NaN beyond the K that there are.

    Args:
        log_probabilities: (N, K).
        classes: (K,) the label of each column.
    """
    count = min(TOP, len(classes))
    labels = np.full((len(log_probabilities), TOP), -1, np.int32)
    values = np.full((len(log_probabilities), TOP), np.nan, np.float32)
    for start in range(0, len(log_probabilities), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        order = np.argsort(-log_probabilities[rows], axis=1, kind="stable")[:, :count]
        labels[rows, :count] = classes[order]
        values[rows, :count] = np.take_along_axis(log_probabilities[rows], order, 1)
    names = [*top_columns("class"), *top_columns("log_probability")]
    return dict(zip(names, [*labels.T, *values.T], strict=True))
