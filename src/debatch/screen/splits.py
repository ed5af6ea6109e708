"""Splits: which images train and which test, drawn by whole wells, checked for leaks and hashed."""

import hashlib
from fractions import Fraction

import numpy as np
import pandas as pd

from debatch.config.read import nearest
from debatch.config.screen import Splits
from debatch.errors import DataError
from debatch.screen.metadata import natural_key
from debatch.tabular import sha256_of_text

# The paper's own proportion: 18 of 51 experiments are its test set.
TEST_SHARE = Fraction(18, 51)
WELL = ["experiment", "plate", "well"]
OFFICIAL = {"train": "train", "test": "test", "val": "val"}


def make_split(name: str, index: pd.DataFrame, config: Splits) -> pd.DataFrame:
    """Draw a split.

    Returns:
        A row an image that is in it: image_id, subset (`train` or `test`), in index order. Images without a label
        never train; in a test batch they are `test`: they feed statistics, and are never scored.

    Raises:
        DataError: the split cannot be drawn, or leaks, or asks for a class that was never trained.
    """
    subset = _separated(index, config) if name == "separated" else _stratified(index, config.seed)
    subset = subset.mask((subset == "train") & index["label"].isna())
    split = pd.DataFrame({"image_id": index["image_id"], "subset": subset}).dropna().reset_index(drop=True)
    check_split(name, split, index)
    return split


def check_split(name: str, split: pd.DataFrame, index: pd.DataFrame) -> None:
    """Refuse a split that leaks or cannot be scored.

    Raises:
        DataError: an image or well on both sides; under `separated` a batch on both sides; an empty side; a class
            in test that no training image has.
    """
    rows = split.merge(index, on="image_id", how="left", validate="many_to_one")
    unique = ["image_id", WELL] if name != "separated" else ["image_id", WELL, "batch"]
    train, test = rows[rows["subset"] == "train"], rows[rows["subset"] == "test"]
    for side, images in (("train", train), ("test", test)):
        if images.empty:
            raise DataError(
                f"split {name!r}: no image in {side}; the screen has {index['batch'].nunique()} batches: "
                f"{', '.join(sorted(index['batch'].unique(), key=natural_key)[:8])}"
            )
    for key in unique:
        columns = key if isinstance(key, list) else [key]
        both = set(map(tuple, train[columns].to_numpy())) & set(map(tuple, test[columns].to_numpy()))
        if both:
            what = "well" if len(columns) > 1 else columns[0]
            raise DataError(f"split {name!r} leaks: {len(both)} {what} on both sides, as {'_'.join(min(both))}")
    unseen = sorted(set(test["perturbation"].dropna()) - set(train["perturbation"]), key=natural_key)
    if unseen:
        raise DataError(
            f"split {name!r}: {len(unseen)} of the test set's classes have no training image: {', '.join(unseen[:10])}"
            f"{' …' if len(unseen) > 10 else ''}; choose other `splits.test_batches`, or leave those wells out by "
            "`metadata.select`"
        )


def split_sha256(split: pd.DataFrame) -> str:
    """The split's identity: SHA-256 of its sorted `image_id,subset` lines."""
    lines = sorted(f"{image},{subset}\n" for image, subset in zip(split["image_id"], split["subset"], strict=True))
    return sha256_of_text("".join(lines))


def _separated(index: pd.DataFrame, config: Splits) -> pd.Series:
    """Whole batches: named ones, the metadata's own, or a drawn third of each cell type's."""
    if config.test_batches is not None:
        for batch in config.test_batches:
            if batch not in set(index["batch"]):
                raise DataError(
                    f"splits.test_batches: no batch {batch!r}{nearest(batch, sorted(index['batch'].unique()))}"
                )
        test = set(config.test_batches)
    elif "official_subset" in index:
        unknown = set(index["official_subset"].dropna()) - set(OFFICIAL)
        if unknown:
            raise DataError(f"columns.subset: {min(unknown)!r} is not one of {', '.join(OFFICIAL)}")
        return index["official_subset"].map(OFFICIAL)
    else:
        test = set()
        for cell_type, images in index.groupby("cell_type"):
            batches = sorted(images["batch"].unique(), key=natural_key)
            n = round(len(batches) / 3)
            drawn = _generator(config.seed, "separated", str(cell_type)).permutation(len(batches))[:n]
            test |= {batches[at] for at in drawn}
    return pd.Series(np.where(index["batch"].isin(test), "test", "train"), index=index.index)


def _stratified(index: pd.DataFrame, seed: int) -> pd.Series:
    """Whole wells, so many of each class in each batch that every class and every batch is level.

    A (batch, class) with n wells gives 18 n / 51 to test. The whole part is taken; the rest is spread as in a Latin
    square: with the batches on a circle in seeded order, each class gives one well more in a run of neighbouring
    batches, and the next class's run, in seeded order, begins where the last one ended. So each class has its share
    to within a well, and so has each batch.
    """
    wells = index.loc[index["label"].notna(), [*WELL, "batch", "label"]].drop_duplicates(WELL)
    batches = sorted(wells["batch"].unique(), key=natural_key)
    labels = np.array(sorted(wells["label"].unique()))
    place_of = dict(zip(batches, _generator(seed, "batches").permutation(len(batches)), strict=True))
    test: set[tuple[str, ...]] = set()
    start = 0
    for label in _generator(seed, "classes").permutation(labels):
        groups = wells[wells["label"] == label].groupby("batch")
        for batch, group in groups:
            whole, run = _whole_and_run(len(group), len(batches))
            extra = (place_of[batch] - start) % len(batches) < run
            places = sorted(map(tuple, group[WELL].to_numpy()))
            order = _generator(seed, "wells", str(batch), str(label)).permutation(len(places))
            test |= {places[at] for at in order[: whole + int(extra)]}
        start += _whole_and_run(int(groups.size().mode().iloc[0]), len(batches))[1]
    in_test = [place in test for place in map(tuple, index[WELL].to_numpy())]
    subset = pd.Series(np.where(in_test, "test", "train"), index=index.index)
    return subset.mask(index["label"].isna())


def _whole_and_run(wells: int, batches: int) -> tuple[int, int]:
    """Of a class's wells in a batch: how many go to test in every batch, and in how many batches one more does."""
    share = TEST_SHARE * wells
    return int(share), round((share - int(share)) * batches)


def _generator(seed: int, *names: str) -> np.random.Generator:
    """A stream of its own for each thing drawn, so that one draw does not shift the next."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
