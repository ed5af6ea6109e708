"""What corrections of embeddings remove of the batch effect, and what they cost in biology."""

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from debatch.config.screen import CONTROLS
from debatch.config.statistics import parse_statistics
from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS
from debatch.files import UNCORRECTED
from debatch.registry import Registry
from debatch.registry.run import ALL_IMAGES
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, by_seed, pooled
from debatch.report.kinds.asked import asked_note, asked_of
from debatch.report.kinds.base import OfCorrections, TableKind
from debatch.report.results import Results
from debatch.screen.subsets import scored_subset
from debatch.tabular import read_frame

SEES = ("sees", "Saw of a test batch")
SHOWN = (
    "kbet", "kbet_controls", "neighbor_same_batch", "replicate_across_batches", "replicate_map", "grit", "nsc", "nscb",
    "positive_control_retention", "separability", "weak_separability",
)  # fmt: skip
# what tells the batch, and what tells biology: the first that the screen defines
BATCH = "neighbor_same_batch"
BIOLOGY = ("replicate_across_batches", "nscb", "nsc", "replicate_map", "grit")
CHANCE = "chance"
# what the normalization of pixels looks at
PIXELS_SEE = {"plate": "images", "experiment": "images", "all": "images"} | dict.fromkeys(
    ("plate_controls", "experiment_controls"), "controls"
)
FEW_CONTROLS = 32
WORDS = ("images", "controls", "labels")


class CorrectionTable(OfCorrections, Table):
    """What corrections of embeddings do."""

    kind: Literal["correction"] = Field(
        "correction", description="What corrections of embeddings remove of the batch effect, and what they cost."
    )


class CorrectionKind(TableKind[CorrectionTable]):
    """A row each method and correction; columns that nothing defines on this screen are left out."""

    spec = CorrectionTable
    needs = ("scores",)
    whole_screen = True

    def corrections(self, spec: Any) -> list[str]:
        """The table's own."""
        return list(spec.corrections)

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        split = registry.splits(name)[0]
        rows: dict[str, str] = {}
        cells: dict[tuple[str, str], Cell] = {}
        for method in registry.rows(name):
            for correction in registry.corrections_of(name):
                row = row_key(method, correction)
                rows[row] = registry.title(method)
                if correction != UNCORRECTED:
                    rows[row] += f" + {registry.correction_title(correction)}"
                frames = results.by_seed("scores", name, method, split, correction)
                sees = seen_of_a_test_batch(registry, method, correction)
                cells[row, SEES[0]] = Cell(words=sees, origin=Origin.of(frames))
                for metric in SHOWN:
                    cells[row, metric] = score_cell(frames, metric)
        defined = [metric for metric in SHOWN if any(cells[row, metric].mean is not None for row in rows)]
        cells = {key: cell for key, cell in cells.items() if key[1] in {SEES[0], *(defined or SHOWN)}}
        defined = defined or list(SHOWN)
        for metric in defined:
            chance = _chance(results, name, split, metric)
            if chance.mean is not None:
                rows[CHANCE] = "A random neighbour (null)"
                cells[CHANCE, metric] = chance
        columns = {SEES[0]: SEES[1], **{metric: METRICS[metric].heading for metric in defined}}
        columns |= {m: f"{columns[m]}, n = {n}" for m, n in asked_of(results, name, defined).items()}
        formats = {metric: (METRICS[metric].unit, METRICS[metric].decimals) for metric in defined}
        notes = [*_notes(results, name, split, defined), *_lacking(defined)]
        nulls = (CHANCE,) if CHANCE in rows else ()
        return Draft(rows, columns, cells, unit="", formats=formats, nulls=nulls, notes=notes)


def row_key(method: str, correction: str) -> str:
    """The row of a method's embeddings, corrected."""
    return method if correction == UNCORRECTED else f"{method}.{correction}"


def seen_of_a_test_batch(registry: Registry, method: str, correction: str) -> str:
    """What of a test batch made these embeddings: nothing, images, controls or labels."""
    seen = set()
    if method in registry.externals and correction == UNCORRECTED:
        return "as made"
    if method not in registry.externals:
        recipe = registry.recipes[method]
        if recipe.inference != "train":
            seen.add("controls" if parse_statistics(recipe.inference).pool == "controls" else "images")
        seen |= {PIXELS_SEE[recipe.normalization]} if recipe.normalization in PIXELS_SEE else set()
    if correction != UNCORRECTED:
        seen.add(registry.corrections[correction].sees)
    return ", ".join(word for word in WORDS if word in seen) or "nothing"


def score_cell(frames: Sequence[pd.DataFrame], metric: str) -> Cell:
    """A metric: mean and sd over seeds, and how sure it is where batches have values of their own."""
    return pooled(frames, metric, "not defined on this screen" if frames else NOT_RUN)


def _chance(results: Results, name: str, split: str, metric: str) -> Cell:
    frames = results.by_seed("scores", name, results.registry.rows(name)[0], split)
    values = by_seed(frames, f"{metric}_chance")
    origin = Origin.of(frames, words="a null: how frequent the batches of the first method's embeddings are")
    mean = METRICS[metric].factor * sum(values) / len(values) if values else None
    return Cell(mean, None, len(values), origin=origin)


def _notes(results: Results, name: str, split: str, defined: list[str]) -> list[str]:
    registry = results.registry
    of_what = "all profiles" if registry.externals else f"test images of the split {split}"
    notes = [
        f"{of_what}; every metric within a cell type; corrections are fitted within a cell type, on what the second "
        "column says and never on labels; nothing here chooses their settings by a score",
        "the arrow says which way is better; nothing was trained again",
        "k-BET: share of images (one a well) whose neighbours (k = 0.5 % of them or 5 times the batches, whichever is "
        "more; of negative controls half of a batch's, all of their images) are of the batches as all are; about 95 % "
        "where nothing tells the batches (of controls with several images a well somewhat less). Where batches hold "
        "different perturbations it cannot come near that, however good a correction: negative controls are the fairer "
        "look",
        "nearest neighbour of the same batch: of treated images, among those of other perturbations (compounds, "
        "mechanisms, where those are known); best is the last row's chance, and below it a correction pushes wells of "
        "one batch apart: those that use all wells of a batch do so by taking the batch's own mean away",
        "whatever is held against negative controls (k-BET of them, mAP, grit, AUROC) is held against wells that the "
        "correction was not fitted on: one half of a batch's control wells, then the other, averaged",
        *_composition(results, name, split),
    ]
    if "replicate_map" in defined:
        notes.append("replicate mAP: wells of other batches with the same perturbation, before negative controls")
    if "grit" in defined:
        notes.append(
            "grit: how far a well's replicates are from negative controls, in sds of the latter; replicates may be of "
            "its own batch, which a batch effect helps"
        )
    if "nsc" in defined or "nscb" in defined:
        level = "compound" if registry.screen.columns.compound else "treatment"
        notes.append(
            f"NSC: share of treatments (mean profiles) whose nearest one of another {level} has the same mechanism; "
            f"NSCB: of another {level} and another batch (one profile a treatment and batch); treatments that could "
            "only be wrong, for want of another with their mechanism, do not count"
        )
        notes += asked_note(asked_of(results, name, defined))
    if "separability" in defined:
        notes.append(
            "over-correction: how well a treatment's wells stand out from negative controls of their own batch (AUROC "
            "along its replicates; chance is 0.5), so that a batch effect moves both. It says whether treatments "
            "differ from controls, not whether they still differ from each other, and near 1 it cannot tell"
        )
    if "weak_separability" in defined:
        notes.append(
            "weak ones: the weakest quarter of treatments by uncorrected embeddings, chosen on some wells and scored "
            "on others"
        )
    if "positive_control_retention" in defined:
        notes.append(
            "positive controls kept: the same of these, above chance, as a share of what it was uncorrected; this and "
            "weak ones compare corrections of one method, not methods"
        )
    return notes


def _composition(results: Results, name: str, split: str) -> list[str]:
    """What the screen's layout lets corrections tell: batch from treatment, and a batch's controls from their noise."""
    index = read_frame(results.files.index())
    if split != ALL_IMAGES:
        tested = read_frame(results.files.split(split))
        index = index[index["image_id"].isin(set(tested.loc[tested["subset"] == scored_subset(tested), "image_id"]))]
    notes = []
    treated = index[(index["well_type"] == "treatment") & index["perturbation"].notna()]
    batches = treated.groupby("perturbation")["batch"].nunique()
    alone = int((batches == 1).sum())
    if alone > len(batches) / 2:
        notes.append(
            f"{alone} of {len(batches)} treatments are in one batch only: corrections that use all wells (ComBat, "
            "Harmony, MNN, Z-norm of all wells) cannot tell batch from treatment there, and take away both"
        )
    wells = index.drop_duplicates(["experiment", "plate", "well"])
    controls = wells["well_type"].isin(CONTROLS).groupby(wells["batch"]).sum()
    corrections = results.registry.corrections_of(name)
    sees_controls = any(results.registry.corrections[c].sees == "controls" for c in corrections if c != UNCORRECTED)
    if sees_controls and len(controls) and controls.min() < FEW_CONTROLS:
        notes.append(
            f"the fewest control wells of a batch are {controls.min()}: with few of them the noise of their mean and "
            "spread is itself a mark of the batch, which corrections by batch and controls then put in"
        )
    return notes


def _lacking(defined: list[str]) -> list[str]:
    lacking = [METRICS[metric].title for metric in SHOWN if metric not in defined]
    return [f"not defined on this screen, for want of wells that it needs: {'; '.join(lacking)}"] if lacking else []


KIND = CorrectionKind()
