"""What the report says in words, computed from the results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.config import Screen
from debatch.config.statistics import POOL_IMAGES, parse_statistics
from debatch.evaluate.label_shift import label_shift
from debatch.evaluate.metrics import OF_PREDICTIONS
from debatch.evaluate.tidy import ALL
from debatch.files import UNCORRECTED, Files
from debatch.registry import Registry
from debatch.report.cells import pooled
from debatch.report.frames import by_seed
from debatch.report.names import paper_label
from debatch.report.results import Results
from debatch.screen.contents import contents
from debatch.screen.metadata import NO_CELL_TYPE
from debatch.screen.nouns import field_noun, fields_of, stored_noun
from debatch.screen.splits import balance, split_sha256
from debatch.tabular import read_frame

LARGE_SHIFT = 0.25
PAPER_SEEDS = 5


def screen_facts(registry: Registry, index: pd.DataFrame) -> list[tuple[str, str]]:
    """The screen in numbers: label and value."""
    screen = registry.screen
    stored, read = stored_noun(screen), field_noun(screen)
    fields = [] if stored == read else [(read.many, f"{fields_of(index):,}")]
    return [
        ("profiles" if registry.externals else stored.many, f"{len(index):,}"),
        *fields,
        ("wells", f"{len(index.drop_duplicates(['experiment', 'plate', 'well'])):,}"),
        ("plates", f"{len(index.drop_duplicates(['experiment', 'plate'])):,}"),
        ("experiments", f"{index['experiment'].nunique():,}"),
        ("batches", f"{index['batch'].nunique():,}"),
        *_cell_types(index),
        ("classes", f"{index['label'].nunique():,}"),
        *contents(index),
        ("without a label", f"{int(index['label'].isna().sum()):,}"),
        ("origin", _origin(screen)),
    ]


def _cell_types(index: pd.DataFrame) -> list[tuple[str, str]]:
    """Which there are; nothing where the screen tells none apart."""
    kinds = sorted(index["cell_type"].unique())
    return [] if kinds == [NO_CELL_TYPE] else [("cell types", ", ".join(kinds))]


def batch_words(screen: Screen) -> str:
    """What a batch is on this screen, as the rest of a sentence."""
    column = screen.columns.batch
    named = [column] if isinstance(column, str) else column
    return f"each {' and '.join(named)} is one"


def _origin(screen: Screen) -> str:
    if screen.simulated:
        return "drawn by a computer (simulated)"
    if screen.profiles:
        return "; ".join(name for profiles in screen.profiles.values() for name in profiles.names())
    return screen.source.root if screen.source else ""


def read_problems(registry: Registry, files: Files) -> pd.DataFrame:
    """Everything that was wrong at ingestion."""
    paths = [Path(files.problems(name)) for name in (*registry.experiments, *registry.externals)]
    found = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths if path.exists()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def split_facts(registry: Registry, files: Files, index: pd.DataFrame) -> list[dict[str, Any]]:
    """Each split's balance, a row a subset."""
    rows = []
    for name in registry.shown_splits():
        split = read_frame(files.split(name))
        digest = split_sha256(split)[:12]
        for row in balance(split, index).to_dict("records"):
            spans = {f"per_{key}": span(row[f"{key}_min"], row[f"{key}_max"]) for key in ("class", "batch")}
            rows.append({"split": name, "sha256": digest, **spans, **{str(key): value for key, value in row.items()}})
    return rows


@dataclass(frozen=True)
class Shift:
    """What the class mix of the test batches means for adaptive batch norm."""

    text: str
    rows: list[dict[str, Any]]


def shift_facts(results: Results, index: pd.DataFrame, table: str) -> Shift:
    """Explain, from measured numbers, whether a batch's own statistics carry its classes."""
    split, noun = read_frame(results.files.split("separated")), stored_noun(results.registry.screen)
    sides = index.merge(split, on="image_id")
    unknown = int(sides.loc[sides["subset"] == "test", "label"].isna().sum())
    sides = sides[sides["label"].notna()]
    train, test = sides[sides["subset"] == "train"], sides[sides["subset"] == "test"]
    shift = label_shift(test["label"].to_numpy(int), test["batch"].to_numpy(str), train["label"].to_numpy(int))
    rows = [dict(zip(shift.columns, row, strict=True)) for row in shift.itertuples(index=False)]
    if unknown or shift.empty:
        text = (
            f"{unknown:,} test {noun.many} have no label, and AdaBN's statistics come from them too: whether the test "
            f"batches hold the training set's mix of classes is not known. The table below is of labelled {noun.many} "
            "alone."
        )
        return Shift(text, rows)
    mean, largest = float(shift["total_variation"].mean()), float(shift["total_variation"].max())
    fewest, most, classes = shift["classes"].min(), shift["classes"].max(), int(index["label"].nunique())
    held = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    how_far = (
        f"(total variation {mean:.2f} on average and {largest:.2f} at most, where 0 is the same mix and 1 no class in "
        "common)"
    )
    holds = f"{held} of the {classes} classes"
    if largest <= LARGE_SHIFT:
        text = (
            f"Every test batch holds {holds} in nearly the training set's mix {how_far}. That is the condition that "
            "adaptive batch normalization rests on: what differs between batches is then the batch and not its classes."
        )
    else:
        few = "Each test batch holds only" if most < classes else "The test batches hold"
        text = (
            f"{few} {holds}, in a mix that is far from the training set's {how_far}. A batch's own statistics then "
            "carry its classes too, and normalizing by them removes the very difference between classes that the "
            "network is to see. AdaBN is expected to lose here. " + _shift_outcome(results, table)
        )
    return Shift(text, rows)


def companion_rows(results: Results, table: str) -> list[dict[str, str]]:
    """Every metric of predictions, averaged over seeds, a row a method and split."""
    registry = results.registry
    spec = registry.tables[table]
    rows = []
    for method in registry.rows(table):
        for split in spec.splits:
            frames = results.by_seed("metrics", table, method, split)
            if not frames:
                continue
            row = {"method": registry.title(method), "split": split}
            for metric, shown in OF_PREDICTIONS.items():
                row[shown.title] = _percent(frames, metric, "all")
            row["Accuracy, treatments only"] = _percent(frames, "accuracy", "treatments")
            for kind in sorted(set(pd.concat(frames)["cell_type"]) - {ALL}):
                row[kind] = _percent(frames, "accuracy", "all", kind)
            rows.append(row)
    return rows


# what a method sees of a test batch, by its test-time statistics; labels never
SEES = {"train": "nothing", "mini_batch": "a random group of its images"}


def seen_of_a_batch(inference: str) -> str:
    """What inference looks at of a batch that was not trained on, for people."""
    if inference in SEES:
        return SEES[inference]
    statistics = parse_statistics(inference)
    images = POOL_IMAGES[statistics.pool]
    if statistics.domain == "plate":
        return f"{statistics.images or 'all'} {images} of the image's plate"
    if statistics.images is not None:
        return f"{statistics.images} of its {images}"
    return f"all of its {images}" if statistics.pool == "all" else f"its {images}"


def method_facts(registry: Registry, methods: list[str]) -> list[dict[str, str]]:
    """What each method is, and what it sees of a batch that it was not trained on."""
    rows = []
    for method in methods:
        if method in registry.externals:
            made = registry.externals[method].description
            rows.append({"title": registry.title(method), "description": made, "sees": "made elsewhere"})
            continue
        inference = registry.recipes[method].inference
        sees = stored_noun(registry.screen).said(seen_of_a_batch(inference))
        about = {"title": registry.title(method), "description": registry.methods[method].description, "sees": sees}
        rows.append(about)
    return rows


CORRECTION_SEES = {"controls": "its control wells", "images": "all of it, without labels"}


def correction_facts(registry: Registry) -> list[dict[str, str]]:
    """The corrections that the screen's tables and figures show."""
    shown = [name for target in registry.screen.targets for name in _corrections_of(registry, target)]
    rows = []
    for name in dict.fromkeys(shown):
        correction = registry.corrections[name]
        own = correction.model_dump(exclude={"title", "description", "kind"})
        rows.append(
            {
                "title": registry.correction_title(name),
                "description": stored_noun(registry.screen).said(correction.description),
                "sees": CORRECTION_SEES[correction.sees],
                "settings": ", ".join(f"{key} {value}" for key, value in own.items()),
            }
        )
    return rows


def _corrections_of(registry: Registry, target: str) -> list[str]:
    if target not in {**registry.tables, **registry.figures}:
        return []
    return [name for name in registry.corrections_of(target) if name != UNCORRECTED]


def limits(registry: Registry, test_batches: int, trained: bool) -> list[str]:
    """What the page does not show, in plain words."""
    lines = []
    if registry.screen.simulated:
        lines.append(
            "The images are simulated: the truth in them was planted, and tests hold the methods against it. They say "
            "nothing about how large any effect is in a real screen."
        )
    if test_batches:
        lines.append(
            f"One draw of each split: another choice of the {test_batches} test batches would move the numbers."
        )
    if registry.externals:
        return [*lines, *_limits_of_profiles(registry)]
    if not trained:
        return [*lines, "No method was trained: the page shows the images and nothing that was learnt from them."]
    noun, kinds = stored_noun(registry.screen), {registry.tables[name].kind for name in registry.targets("tables")}
    methods = {method for name in registry.targets("tables") for method in registry.tables[name].methods}
    absent = [registry.title(m) for m in ("gradient_reversal", "adabn") if m in registry.methods and m not in methods]
    if absent:
        lines.append(f"Not run: {', '.join(absent)}.")
    if registry.seeds == 1:
        lines.append(
            "One training seed: how far the same training comes out elsewhere from other random weights is not known, "
            "so that a difference between two methods may be chance. "
            "`--config seeds=2` and more train anew what that takes."
        )
    elif registry.screen.published and registry.seeds < PAPER_SEEDS:
        lines.append(f"{registry.seeds} of the paper's {PAPER_SEEDS} training seeds.")
    if "probe" not in kinds:
        lines.append(
            "The batch accuracy is that of the head trained beside the network. A low one does not prove that the "
            "batch is gone from the embedding: a probe fitted afterwards may still find it, and was not run."
        )
    if "stratified" in registry.screen.splits.names and "stratified_site" not in registry.screen.splits.names:
        lines.append(
            "Seen batches are tested on whole wells. The split by sites (`stratified_site`), which is easier, was not "
            "run here." + (" The paper does not say which of the two it drew." if registry.screen.published else "")
        )
    lines.append(
        "One setting of each method, the same training for all: how far tuning would move each was not looked at."
    )
    if any(registry.recipes[method].adapts for method in methods):
        drawn = {registry.figures[name].kind for name in registry.targets("figures") if name in registry.figures}
        unknown = "" if "adaptation" in {*kinds, *drawn} else " How many are enough was not measured here."
        lines.append(f"AdaBN needs many {noun.many} of a batch at once, of nearly all classes.{unknown}")
    lines += [
        f"{paper_label(name) or name} of the paper cannot be made here: it {registry.lacking(name)}."
        for name in registry.targets_of.pages.get(registry.page, [])
        if registry.lacking(name)
    ]
    return lines


def _limits_of_profiles(registry: Registry) -> list[str]:
    lines = [
        "How the profiles were made was not looked at: what was standardised, selected or left out before they came "
        "here is in every number.",
        "One setting of each correction, its authors' own or the usual one, and one seed; how far others would move "
        "each was not looked at.",
        "Corrections were fitted on the very profiles that they are scored on, without labels, as a lab would do with "
        "a screen at hand; a batch that comes later would have to be corrected anew.",
    ]
    if not registry.screen.splits.names:
        lines.append("No split was drawn: nothing was fitted on some batches to be tested on others.")
    return lines


def _shift_outcome(results: Results, table: str) -> str:
    means = {
        method: pooled(results.by_seed("metrics", table, method, "separated"), "accuracy", "").mean
        for method in ("baseline", "adabn")
    }
    if means["baseline"] is None or means["adabn"] is None:
        return ""
    did = "It did" if means["adabn"] < means["baseline"] else "It did not"
    return f"{did}: AdaBN {means['adabn']:.1f} % against the baseline's {means['baseline']:.1f} %."


def _percent(frames: Sequence[pd.DataFrame], metric: str, subset: str, cell_type: str = ALL) -> str:
    values = by_seed(frames, metric, subset, cell_type)
    return f"{100 * sum(values) / len(values):.1f}" if values else "—"


def step_facts(records: Sequence[dict[str, Any]], methods: Sequence[str]) -> dict[str, list[str]]:
    """Split -> how many optimizer steps trainings of some methods on it took: one number, where all had one budget.

    Args:
        records: of the trainings.
        methods: those that are compared; changes of their recipes are not.
    """
    found: dict[str, set[int]] = {}
    for record in records:
        if record["method"] in methods and "optimizer_steps" in record:
            found.setdefault(record["split"], set()).add(int(record["optimizer_steps"]))
    return {split: [f"{count:,}" for count in sorted(counts)] for split, counts in found.items()}


def span(low: int, high: int) -> str:
    """Two counts as one, where they are the same."""
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
