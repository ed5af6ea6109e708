"""What the explorer knows of each image beside its picture: names as codes, numbers, and what was predicted."""

from typing import Any

import numpy as np
import pandas as pd

from debatch.embedding_table import own_names
from debatch.report.explorer.packed import pack_codes, pack_numbers
from debatch.screen.flags import kind_of_flag
from debatch.screen.metadata import natural_key
from debatch.screen.names.wells import row_and_column, row_letters

# of the index -> for people, in the order in which they are offered
TITLES = {
    "batch": "batch",
    "perturbation": "perturbation",
    "compound": "compound",
    "mechanism": "mechanism",
    "cell_type": "cell type",
    "well_type": "well type",
    "experiment": "experiment",
    "part": "part",
    "site": "site",
}
# a column of more names than that is one of notes or of file names
MOST_NAMES = 5_000
# of a number from 0 to 1, and where there is none
STEPS, MISSING = 65_534, 65_535
NOT_SCORED, WRONG, RIGHT = range(3)


def category(key: str, title: str, values: pd.Series) -> dict[str, Any]:
    """A column of names: its names in natural order, and the code of each image; what is not known comes last.

    Args:
        key: by which the page knows it.
        title: for people.
        values: (N,) of any type.
    """
    known = values.notna() & (values.astype("str") != "")
    texts = values.astype("str").where(known)
    names = sorted(texts.dropna().unique(), key=natural_key)
    codes = pd.Categorical(texts, categories=names).codes.astype(np.int64)
    codes[codes < 0] = len(names)
    return {"key": key, "title": title, "names": [*names, None][: codes.max(initial=0) + 1], "codes": pack_codes(codes)}


def index_columns(index: pd.DataFrame) -> list[dict[str, Any]]:
    """The columns of an index that images are coloured, filtered and searched by; the user's own come last."""
    said = index.assign(well_type=index["well_type"].str.replace("_", " "))
    columns = [category(key, title, said[key]) for key, title in TITLES.items() if key in said]
    if index["part"].nunique() == 1:
        columns = [column for column in columns if column["key"] != "part"]
    columns.append(category("plate", "plate", plate_names(index)))
    wells = index["well"].map(row_and_column)
    columns.append(category("row", "plate row", wells.map(lambda place: row_letters(place[0]))))
    columns.append(category("column", "plate column", wells.map(lambda place: str(place[1]))))
    columns.append(category("well", "well", index["well"]))
    if "qc_flags" in index:
        columns.append(category("qc", "QC flag", index["qc_flags"].map(_kinds_of_flags)))
    for column, name in own_names(index).items():
        values = index[column]
        if 1 < values.astype("str").nunique() <= MOST_NAMES:
            columns.append(category(f"own.{column}", name.removeprefix("Metadata_"), values))
    return columns


def plate_names(index: pd.DataFrame) -> pd.Series:
    """(N,) each image's plate, told apart from plates of the same name in other experiments."""
    return index["experiment"].astype("str") + ", plate " + index["plate"].astype("str")


def place_columns(index: pd.DataFrame, plates: pd.Series) -> dict[str, Any]:
    """Where each image is: the number of its plate, and row and column of its well from 0 on."""
    of_wells = {well: row_and_column(well) for well in index["well"].unique()}
    rows = index["well"].map(lambda well: of_wells[well][0] - 1).to_numpy()
    columns = index["well"].map(lambda well: of_wells[well][1] - 1).to_numpy()
    names = sorted(plates.unique(), key=natural_key)
    numbers = pd.Categorical(plates, categories=names).codes.astype(np.int64)
    return {"plates": names, "plate": pack_codes(numbers), "row": pack_codes(rows), "column": pack_codes(columns)}


def predicted_columns(predictions: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    """What was predicted of images and of their wells: the class, whether that is right, how probable the true one is.

    Args:
        predictions: as `prediction_table` makes them; rows of images that the index does not hold are left out.
        index: of the screen.

    Returns:
        `rows` (positions in the index), `right` and `well_right` (0 not scored, 1 wrong, 2 right), `probability` in
        1/65534 (65535: none), `predicted` and `predicted_well`, codes of `names`: the classes of the screen, and so
        the same names for each method.
    """
    at = pd.Index(index["image_id"]).get_indexer(pd.Index(predictions["image_id"]))
    known = predictions[at >= 0]
    probability = np.exp(known["log_probability"].to_numpy(np.float64, na_value=np.nan))
    steps = np.where(np.isfinite(probability), np.rint(np.nan_to_num(probability).clip(0, 1) * STEPS), MISSING)
    of_label = index.dropna(subset=["label"]).drop_duplicates("label").set_index("label")["perturbation"].astype("str")
    guesses = pd.concat([known["predicted"], known["predicted_well"]], ignore_index=True)
    names = guesses.map(of_label)
    named = pd.concat([names.fillna(guesses.map(lambda label: f"class {label}")), of_label], ignore_index=True)
    classes = sorted(named.unique(), key=natural_key)
    codes = pd.Categorical(named, categories=classes).codes.astype(np.int64)
    return {
        "rows": pack_codes(at[at >= 0]),
        "right": pack_codes(_scores(known["label"], known["predicted"])),
        "well_right": pack_codes(_scores(known["label"], known["predicted_well"])),
        "probability": pack_numbers(steps.astype(np.uint16)),
        "names": classes,
        "predicted": pack_codes(codes[: len(known)]),
        "predicted_well": pack_codes(codes[len(known) : 2 * len(known)]),
    }


def _scores(label: pd.Series, predicted: pd.Series) -> np.ndarray:
    true = label.astype("Float64").fillna(-1).to_numpy(np.int64)
    return np.where(label.notna().to_numpy(), np.where(predicted.to_numpy() == true, RIGHT, WRONG), NOT_SCORED)


def _kinds_of_flags(flags: str) -> str:
    return " + ".join(dict.fromkeys(kind_of_flag(flag) for flag in flags.split("; "))) if flags else "none"
