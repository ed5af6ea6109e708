"""Splits: which images train and which test, drawn by whole wells, checked for leaks and hashed.

A split is a long table of image_id and subset. An image is in one of `train`, `val` and `test` at most; beside those it
may be in any number of named tasks, which are scored by themselves and hold no training image.
"""

import hashlib
import logging
from collections import Counter
from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd

from debatch.config.read import nearest
from debatch.config.splits import SUBSETS, Split, Splits
from debatch.digests import sha256_of_text
from debatch.errors import DataError
from debatch.screen.draws import batches_by_cell_type, in_drawn_order, random_stream
from debatch.screen.folds import fold
from debatch.screen.metadata import natural_key
from debatch.screen.nouns import noun_of_rows
from debatch.screen.subsets import images_in
from debatch.screen.tasks import task_split

log = logging.getLogger(__name__)

# The paper's own proportion: 18 of 51 experiments are its test set.
TEST_SHARE = Fraction(18, 51)
WELL = ["experiment", "plate", "well"]


def make_split(name: str, index: pd.DataFrame, config: Splits) -> pd.DataFrame:
    """Draw a split.

    `separated`: whole batches, those that the screen names, the metadata's own, or a drawn third of each cell type's.
    `separated_val`: its training side alone, with one batch of each cell type held out as `val`; settings are chosen
    on it. `stratified`: whole wells of every batch, as many of each class in each cell type as `separated` tests on.
    `stratified_site`: likewise single sites, so that sites of a well stand on both sides. `fold1`, `fold2`, …: whole
    batches in blocks, of which each is tested once. `tasks`: what the metadata says of each image (`task_split`).
    `few_<cell type>_draw<k>`: of `separated` one cell type alone, trained on a few drawn batches; of classes that those
    do not show, test images are kept and can only be wrong.

    Returns:
        A row an image that is in it: image_id, subset (`train`, `val` or `test`), in index order; of `tasks` a row for
        each task of an image, the training images first. Images without a
        label never train; in a held-out batch they feed statistics, and are never scored.

    Raises:
        DataError: the split cannot be drawn, or leaks, or (but of few batches) asks for a class that was never trained.
    """
    drawn = Split.named(name)
    if drawn.form == "tasks":
        split = task_split(index, config)
        _check_tasks(name, split)
        return split
    match drawn.form:
        case "few":
            subset = _few(index, config, drawn)
        case "stratified":
            subset = _stratified(index, config, WELL)
        case "stratified_site":
            subset = _stratified(index, config, ["image_id"])
        case "fold":
            subset = fold(index, config, drawn.fold)
        case "separated_val":
            subset = _with_validation(index, _separated(index, config), config.seed)
        case _:
            subset = _separated(index, config)
    unlabelled = (subset == "train") & index["label"].isna()
    if unlabelled.any():
        log.warning(
            "split %r: %d %s of its training side have no label and do not train, the first %s",
            name,
            unlabelled.sum(),
            noun_of_rows(index).many,
            index["image_id"][unlabelled].iloc[0],
        )
    subset = subset.mask(unlabelled)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": subset}).dropna().reset_index(drop=True)
    if drawn.form != "few":
        check_split(name, split, index)
    else:
        _check_sides(name, split, index)
        _log_untrained(name, split, index)
    return split


def check_split(name: str, split: pd.DataFrame, index: pd.DataFrame) -> None:
    """Refuse a split that leaks or cannot be scored.

    Raises:
        DataError: an image twice in a subset, on both sides, or in `train` and a named task; a well on both sides, but
            under `stratified_site`; a batch, but under the `stratified` ones; an empty side, or one without labels to
            score; a class in test that no training image has.
    """
    _check_sides(name, split, index)
    unseen, _ = _untrained(name, split, index)
    if unseen:
        noun = noun_of_rows(index)
        batches = index.groupby("perturbation")["batch"].nunique()
        alone = sum(int(batches[name] == 1) for name in unseen)
        help_ = "choose other `splits.test_batches`, or leave those wells out by `metadata.select`"
        if alone:
            help_ = (
                f"{alone if alone < len(unseen) else 'all'} of these are in one batch only, and no choice of test "
                "batches can both train and test on them: leave the split out of `splits.names`, or those wells out by "
                "`metadata.select`"
            )
        raise DataError(
            f"split {name!r}: {len(unseen)} of the test set's classes have no training {noun.one}: "
            f"{', '.join(unseen[:10])}{' …' if len(unseen) > 10 else ''}; {help_}"
        )


def _check_sides(name: str, split: pd.DataFrame, index: pd.DataFrame) -> None:
    """Refuse a split that leaks, or has nothing to train on or to score."""
    _check_tasks(name, split)
    rows = _with_labels(split, index)
    kept_whole: dict[str, list[list[str]]] = {"stratified_site": [], "stratified": [WELL]}
    unique = [["image_id"], *kept_whole.get(name, [WELL, ["batch"]])]
    scored, noun = _scored_side(name), noun_of_rows(index)
    train, held_out = rows[rows["subset"] == "train"], rows[rows["subset"] == scored]
    for side, images in (("train", train), (scored, held_out)):
        if images.empty:
            raise DataError(
                f"split {name!r}: no {noun.one} in {side}; the screen has {index['batch'].nunique()} batches: "
                f"{', '.join(sorted(index['batch'].unique(), key=natural_key)[:8])}"
            )
    if held_out["label"].isna().all():
        raise DataError(f"split {name!r}: no {noun.one} in {scored} has a label, so that nothing could be scored")
    sides = rows[rows["subset"].isin(SUBSETS)]
    for columns in unique:
        places = sides[[*columns, "subset"]].drop_duplicates()
        both = places.loc[places.duplicated(columns), columns].drop_duplicates()
        if len(both):
            what = "well" if len(columns) > 1 else columns[0]
            first = "_".join(min(both.itertuples(index=False, name=None)))
            raise DataError(f"split {name!r} leaks: {len(both)} {what} on both sides, as {first}")


def _check_tasks(name: str, split: pd.DataFrame) -> None:
    """Refuse an image that is twice in a subset, or in `train` and a named task."""
    repeated = split[split.duplicated(["image_id", "subset"])]
    if len(repeated):
        image, subset = repeated[["image_id", "subset"]].iloc[0]
        raise DataError(f"split {name!r}: the image {image} is twice in {subset}")
    trained, tasks = images_in(split, "train"), split[~split["subset"].isin(SUBSETS)]
    for task, images in tasks.groupby("subset")["image_id"]:
        if leaked := trained & set(images):
            raise DataError(
                f"split {name!r} leaks: {len(leaked)} images are in train and in the task {task}, as {min(leaked)}"
            )


def _untrained(name: str, split: pd.DataFrame, index: pd.DataFrame) -> tuple[list[str], int]:
    """Classes to be scored that no training image has, and how many images are of them."""
    rows = _with_labels(split, index)
    held_out = rows[rows["subset"] == _scored_side(name)]
    unseen = set(held_out["perturbation"].dropna()) - set(rows.loc[rows["subset"] == "train", "perturbation"])
    return sorted(unseen, key=natural_key), int(held_out["perturbation"].isin(unseen).sum())


def _log_untrained(name: str, split: pd.DataFrame, index: pd.DataFrame) -> None:
    unseen, images = _untrained(name, split, index)
    if unseen:
        log.warning(
            "split %r: %d test %s are of %d classes that the drawn batches do not show, as %s; they stay, and "
            "count as wrong",
            name,
            images,
            noun_of_rows(index).many,
            len(unseen),
            unseen[0],
        )


def _with_labels(split: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    looked_at = index[["image_id", *WELL, "batch", "label", "perturbation"]]
    return split.merge(looked_at, on="image_id", how="left", validate="many_to_one")


def _scored_side(name: str) -> str:
    return "val" if name == "separated_val" else "test"


def split_sha256(split: pd.DataFrame) -> str:
    """The split's identity: SHA-256 of its sorted `image_id,subset` lines."""
    lines = sorted(f"{image},{subset}\n" for image, subset in zip(split["image_id"], split["subset"], strict=True))
    return sha256_of_text("".join(lines))


def balance(split: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """How level a split is.

    Returns:
        A row a subset, named tasks last: subset, images, share (of the split's images), wells, batches, classes,
        unlabelled, then the fewest and most images that a class and that a batch has: `class_min`, `class_max`,
        `batch_min`, `batch_max`.
    """
    rows = split.merge(index[["image_id", *WELL, "batch", "label"]], on="image_id", how="left")
    found, there = [], list(rows["subset"].unique())
    sides = [name for name in SUBSETS if name in there]
    for subset in [*sides, *sorted(set(there) - set(sides), key=natural_key)]:
        images = rows[rows["subset"] == subset]
        by_class, by_batch = images["label"].value_counts(), images["batch"].value_counts()
        found.append(
            {
                "subset": subset,
                "images": len(images),
                "share": len(images) / rows["image_id"].nunique(),
                "wells": len(images.drop_duplicates(WELL)),
                "batches": len(by_batch),
                "classes": len(by_class),
                "unlabelled": int(images["label"].isna().sum()),
                "class_min": int(by_class.min()) if len(by_class) else 0,
                "class_max": int(by_class.max()) if len(by_class) else 0,
                "batch_min": int(by_batch.min()),
                "batch_max": int(by_batch.max()),
            }
        )
    return pd.DataFrame(found)


def _separated(index: pd.DataFrame, config: Splits) -> pd.Series:
    if config.test_batches is not None:
        there = set(index["batch"].unique())
        for batch in config.test_batches:
            if batch not in there:
                raise DataError(
                    f"splits.test_batches: no batch {batch!r}{nearest(batch, sorted(index['batch'].unique()))}"
                )
        return _held_out(index, set(config.test_batches), "test")
    if "official_subset" in index:
        unknown = set(index["official_subset"].dropna()) - set(SUBSETS)
        if unknown:
            raise DataError(f"columns.subset: {min(unknown)!r} is not one of {', '.join(SUBSETS)}")
        return index["official_subset"]
    test = set()
    for own in in_drawn_order(batches_by_cell_type(index), config.seed, "separated").values():
        test |= set(own[: round(len(own) / 3)])
    return _held_out(index, test, "test")


def _with_validation(index: pd.DataFrame, separated: pd.Series, seed: int) -> pd.Series:
    """The training side alone, with one of its batches of each cell type as `val`; the metadata's own `val` counts."""
    subset = separated.where(separated != "test")
    if (subset == "val").any():
        return subset
    # a cell type of one training batch would be validated without having been trained on
    by_type = in_drawn_order(batches_by_cell_type(index[subset == "train"]), seed, "separated_val")
    held_out = {own[0] for own in by_type.values() if len(own) > 1}
    return subset.mask(subset.notna() & index["batch"].isin(held_out), "val")


def _few(index: pd.DataFrame, config: Splits, few: Split) -> pd.Series:
    """A draw of one cell type's training batches of `separated`, and its test batches."""
    separated = _separated(index, config)
    own = index["cell_type"] == few.cell_type
    if not own.any():
        raise DataError(
            f"split {few.name!r}: no cell type {few.cell_type!r}"
            f"{nearest(few.cell_type, sorted(index['cell_type'].unique()))}; see `splits.cell_types`"
        )
    batches = sorted(index.loc[own & (separated == "train"), "batch"].unique(), key=natural_key)
    stated = (config.cell_types or {}).get(few.cell_type, len(batches))
    if stated != len(batches):
        raise DataError(
            f"splits.cell_types: {few.cell_type} has {len(batches)} training batches of `separated` and not {stated}: "
            f"{', '.join(batches)}"
        )
    chosen = _few_drawn(batches, config, few)
    return separated.where(own & ((separated == "test") | index["batch"].isin(chosen)))


def _few_drawn(batches: list[str], config: Splits, few: Split) -> set[str]:
    """The batches of a draw: without replacement, and no two draws the same."""
    size = min(config.few_batches, len(batches))
    if few.draw >= comb(len(batches), size):
        raise DataError(
            f"split {few.name!r}: {len(batches)} training batches have only {comb(len(batches), size)} different "
            f"choices of {size}"
        )
    generator = random_stream(config.seed, "few", few.cell_type)
    drawn: list[set[str]] = []
    while len(drawn) <= few.draw:
        choice = {batches[at] for at in generator.permutation(len(batches))[:size]}
        if choice not in drawn:
            drawn.append(choice)
    return drawn[few.draw]


def _held_out(index: pd.DataFrame, batches: set[str], subset: str) -> pd.Series:
    return pd.Series(np.where(index["batch"].isin(batches), subset, "train"), index=index.index)


def _stratified(index: pd.DataFrame, config: Splits, unit: list[str]) -> pd.Series:
    """Whole units (wells or images) of every batch: as many of each class in each cell type as `separated` tests on.

    So a test image has as many training units of its own class and cell type as under `separated`, and the two differ
    in nothing but which batches those are of. Of a class that `separated` has on one side alone, 18 of 51 are tested.
    """
    labelled = index.assign(separated=_separated(index, config))[index["label"].notna()]
    units = labelled.drop_duplicates(unit)
    test: set[tuple[str, ...]] = set()
    for cell_type, own in units.groupby("cell_type"):
        test |= _level_draw(own, unit, config.seed, random_stream(config.seed, "stratified", str(cell_type)))
    in_test = [name in test for name in index[unit].itertuples(index=False, name=None)]
    subset = pd.Series(np.where(in_test, "test", "train"), index=index.index)
    return subset.mask(index["label"].isna())


def _level_draw(
    units: pd.DataFrame, unit: list[str], seed: int, generator: np.random.Generator
) -> set[tuple[str, ...]]:
    """Test units of one cell type, such that each batch gives its share of them to within one.

    A batch that has n of a class's N units gives n T / N of its T test units. The whole part is taken; what is left of
    T goes to those batches that have given least of their share so far, drawn where several have.
    """
    batches = sorted(units["batch"].unique(), key=natural_key)
    owed = dict.fromkeys(batches, Fraction(0))
    test: set[tuple[str, ...]] = set()
    # in lists: a thousand classes as tables of their own would take half a minute
    by_class: dict[int, dict[str, list[tuple[str, ...]]]] = {}
    sides: dict[int, Counter[str]] = {}
    columns = units["label"].astype(int), units["batch"], units["separated"]
    names = units[unit].itertuples(index=False, name=None)
    for label, batch, side, name in zip(*(column.tolist() for column in columns), names, strict=True):
        by_class.setdefault(label, {}).setdefault(batch, []).append(name)
        sides.setdefault(label, Counter())[side] += 1
    for label in generator.permutation(sorted(by_class)).tolist():
        members, side_of = by_class[label], sides[label]
        tested, trained = side_of["test"], side_of["train"]
        share = Fraction(tested, side_of.total()) if tested and trained else TEST_SHARE
        shares = {batch: share * len(members[batch]) for batch in batches if batch in members}
        count = {batch: int(of) for batch, of in shares.items()}
        ties = dict(zip(batches, generator.random(len(batches)), strict=True))
        broken = sorted(
            (batch for batch, of in shares.items() if of % 1),
            key=lambda batch: (-(owed[batch] + shares[batch] % 1), ties[batch]),
        )
        for batch in broken[: round(sum(shares.values())) - sum(count.values())]:
            count[batch] += 1
        for batch, of in shares.items():
            owed[batch] += of - count[batch]
            test |= set(_drawn(members[batch], count[batch], seed))
    return test


def _drawn(units: list[tuple[str, ...]], count: int, seed: int) -> list[tuple[str, ...]]:
    """`count` of some units: those whose names hash lowest, so that no other unit's presence changes the draw."""
    if count == 0:
        return []
    return sorted(units, key=lambda unit: hashlib.blake2b(f"{seed}/{'/'.join(unit)}".encode()).digest())[:count]
