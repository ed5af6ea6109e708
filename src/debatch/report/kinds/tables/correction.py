"""What corrections of embeddings remove of the batch effect, and what they cost in biology."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.screen import CONTROLS, POSITIVE_CONTROL
from debatch.config.statistics import parse_statistics
from debatch.config.tables import Table
from debatch.evaluate.batch_effect.permuted import DRAWS
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.replicates.wells import ELSEWHERE
from debatch.evaluate.tidy import of_all
from debatch.evaluate.uncertainty import Scale, seeds_spread
from debatch.files import UNCORRECTED
from debatch.registry import Registry
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, pooled, scaled_cell
from debatch.report.frames import by_seed
from debatch.report.kinds.asked import asked_note, asked_of
from debatch.report.kinds.base import OfCorrections, TableKind
from debatch.report.kinds.positions import Positions, positions, scored_wells
from debatch.report.nulls import NULL
from debatch.report.results import ByRun, Results
from debatch.screen.shared import shared

SEES = ("sees", "Saw of a test batch")
# where there is no split
SEES_OF_A_BATCH = "Saw of a batch"
SHOWN = (
    "kbet", "kbet_controls", "neighbor_same_batch", "neighbor_same_batch_controls", "replicate_across_batches",
    "replicate_map", "grit", "nsc", "nscb", "positive_control_retention", "separability", "weak_separability",
)  # fmt: skip
# what tells the batch, and what tells biology: the first that the screen defines
BATCH = "neighbor_same_batch"
OF_CONTROLS = "neighbor_same_batch_controls"
BIOLOGY = ("replicate_across_batches", "nscb", "nsc", "replicate_map", "grit")
CHANCE = "chance"
PERMUTED = "permuted"
# rows below: what chance and a well's position alone would give; beside them each method's permuted batches
NULLS = {CHANCE: f"A random neighbour {NULL}", "position_only": f"Position only {NULL}"}
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
        made: dict[str, ByRun] = {}
        for method in registry.rows(name):
            for correction in registry.corrections_of(name):
                row = row_key(method, correction)
                rows[row] = registry.title(method)
                if correction != UNCORRECTED:
                    rows[row] += f" + {registry.correction_title(correction)}"
                frames = results.by_seed("scores", name, method, split, correction)
                sees = seen_of_a_test_batch(registry, method, correction)
                cells[row, SEES[0]] = Cell(words=sees, origin=Origin.of(frames))
                made[row] = frames
        place = positions(name, results)
        shown = _with_other_positions(SHOWN) if place.layout.matters else SHOWN
        for row, frames in made.items():
            for metric in shown:
                cells[row, metric] = score_cell(frames, metric)
        defined = [metric for metric in shown if any(cells[row, metric].mean is not None for row in rows)]
        cells = {key: cell for key, cell in cells.items() if key[1] in {SEES[0], *(defined or SHOWN)}}
        lacking = [metric for metric in shown if metric not in defined]
        defined = defined or list(SHOWN)
        nulls = []
        below = {null: (title, registry.rows(name)[0], null) for null, title in NULLS.items()}
        for method in registry.rows(name):
            title = f"{registry.title(method)}, batches permuted {NULL}"
            below[f"{method}.{PERMUTED}"] = title, method, PERMUTED
        for row, (title, method, null) in below.items():
            for metric in defined:
                cell = null_cell(results, name, method, metric, null)
                if cell.mean is not None:
                    rows[row] = title
                    cells[row, metric] = cell
            nulls += [row] if row in rows else []
        sees = SEES[1] if registry.screen.splits.names else SEES_OF_A_BATCH
        columns = {SEES[0]: sees, **{metric: METRICS[metric].heading for metric in defined}}
        columns |= {m: f"{columns[m]}, n = {n}" for m, n in asked_of(results, name, defined).items()}
        formats = {metric: (METRICS[metric].unit, METRICS[metric].decimals) for metric in defined}
        notes = [
            *_notes(results, name, split, defined, has_permuted=any(row.endswith(PERMUTED) for row in nulls)),
            *_of_positions(place, lacking),
            *_lacking(lacking),
        ]
        drawn = drawn_words(registry)
        return Draft(rows, columns, cells, unit="", formats=formats, nulls=tuple(nulls), drawn=drawn, notes=notes)


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
    """A metric: mean and sd over seeds, and its one interval, of all that is drawn; a range where there is none."""
    cell = pooled(frames, metric, "not defined on this screen" if frames else NOT_RUN)
    if cell.mean is None:
        return cell
    every = pd.concat([of_all(frame) for frame in frames])
    rows = every[(every["metric"] == metric) & np.isfinite(every["value"])]
    scale: Scale = "share" if METRICS[metric].is_share else "plain"
    values, errors, freedoms = (rows[name].tolist() for name in ("value", "error", "freedom"))
    sure = seeds_spread(values, errors, freedoms, scale)
    if not sure.is_interval and cell.is_range:
        return cell
    return scaled_cell(metric, values, sure, cell.note, cell.origin)


def drawn_words(registry: Registry) -> str:
    """What the intervals of scores are over."""
    units = "compounds" if registry.screen.columns.compound else "perturbations"
    return (
        f"{units} and batches, both drawn; of negative controls, which are one treatment, over batches alone; of NSC "
        f"and of how treatments stand out over {units} alone"
    )


def _with_other_positions(metrics: Sequence[str]) -> tuple[str, ...]:
    """Metrics, each of replicates followed by the same without those in the same position."""
    both = ((metric, ELSEWHERE.format(metric)) for metric in metrics)
    return tuple(name for pair in both for name in pair if name in METRICS)


def null_cell(results: Results, name: str, method: str, metric: str, null: str) -> Cell:
    """What chance, permuted batches or a position alone would give of a method's embeddings, as they are."""
    frames = results.by_seed("scores", name, method, results.registry.splits(name)[0])
    own, factor = f"{metric}_{null}", METRICS[metric].factor
    values = by_seed(frames, own)
    if not values:
        return Cell()
    bounds = pd.concat([of_all(frame[frame["metric"] == own]) for frame in frames])[["low", "high"]].mean()
    low, high = (factor * float(bound) if np.isfinite(bound) else None for bound in bounds)
    origin = Origin.of(frames, words="a null, of the method's embeddings as they are")
    what = f"the middle 95 % of {DRAWS} permutations"
    return Cell(factor * sum(values) / len(values), None, len(values), low, high, origin=origin, bounds_of=what)


def _notes(results: Results, name: str, split: str, defined: list[str], *, has_permuted: bool) -> list[str]:
    registry = results.registry
    of_what = "all profiles" if registry.externals else f"test images of the split {split}"
    kinds = scored_wells(results, split)["cell_type"].nunique()
    within = "; every metric within a cell type" if kinds > 1 else ""
    notes = [
        f"{of_what}{within}; corrections are fitted on what the second column says, within a cell type and never on "
        "labels; nothing here chooses their settings by a score",
        "the arrow says which way is better; nothing was trained again",
        "acceptance by k-BET: share of images (one a well) whose neighbours (k = 0.5 % of them or 5 times the batches, "
        "whichever is more; of negative controls half of a batch's, all of their images) are of the batches as all "
        "are; best is "
        f"{_best_kbet(results, name)}. That is about 95 % where batches hold the same treatments, and less where they "
        "do not, however good a correction: there negative controls are the fairer look",
        "nearest neighbour of the same batch: of treated images, among those of other perturbations (compounds, "
        "mechanisms, where those are known); best is what a random neighbour gives, and below it a correction pushes "
        "wells of one batch apart: those that use all wells of a batch do so by taking the batch's own mean away",
        "whatever is held against negative controls, or is of them, is of wells that the correction was not fitted on: "
        "one half of a batch's control wells, then the other, averaged",
        *_populations(results, name, defined),
        *_composition(results, name, split),
    ]
    if has_permuted:
        notes.append(
            "batches permuted: what no batch effect would give a method's embeddings as they are: the batches of each "
            f"perturbation's wells are dealt anew among those wells, {DRAWS} times; in its brackets the middle 95 % of "
            "these. None is given of a number most of whose images are of treatments in one batch: there is nothing to "
            "deal"
        )
    if "neighbor_same_batch_controls" in defined:
        notes.append("the same, negative controls: their neighbours are negative controls of other wells")
    if "replicate_map" in defined:
        notes.append("replicate mAP: wells of other batches with the same perturbation, before negative controls")
    if "grit" in defined:
        notes.append(
            "grit: how far a well's replicates are from negative controls, in sds of the latter; replicates may be of "
            "its own batch, which a batch effect helps; with few control wells that sd is known badly, and grit with it"
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


def _best_kbet(results: Results, name: str) -> str:
    """What the best k-BET acceptance is: what permuted batches give of these very embeddings."""
    method = results.registry.rows(name)[0]
    found = {metric: null_cell(results, name, method, metric, PERMUTED).mean for metric in ("kbet", "kbet_controls")}
    of = {"kbet": "", "kbet_controls": " of negative controls"}
    said = [f"{value:.1f} %{of[metric]}" for metric, value in found.items() if value is not None]
    row = "what permuted batches give (their row below"
    return f"{row}: {', '.join(said)})" if said else "what permuted batches would give"


def deciding(results: Results, name: str, *, has_controls: bool) -> str:
    """The metric that tells the batch: of negative controls where treated wells cannot tell batch from treatment."""
    tells = shared(scored_wells(results, results.registry.splits(name)[0])).tells
    return OF_CONTROLS if has_controls and not tells else BATCH


def using_all_wells(registry: Registry, name: str) -> list[str]:
    """Titles of a table's corrections that see all wells of a batch."""
    corrections = [c for c in registry.corrections_of(name) if c != UNCORRECTED]
    return [registry.correction_title(c) for c in corrections if registry.corrections[c].sees == "images"]


def _populations(results: Results, name: str, defined: list[str]) -> list[str]:
    """Of how many each metric is, and of which cell types."""
    registry = results.registry
    method, split = registry.rows(name)[0], registry.splits(name)[0]
    frames = results.by_seed("scores", name, method, split).first()
    if not frames:
        return []
    every = of_all(frames[0]).set_index("metric")["n"]
    counted = [f"{METRICS[metric].title} {int(every[metric]):,}" for metric in defined if metric in every.index]
    index = scored_wells(results, split)
    batches = index.groupby("cell_type")["batch"].nunique()
    alone = ", ".join(map(str, batches.index[batches < 2]))
    positive = "; treated wells include positive controls" if (index["well_type"] == POSITIVE_CONTROL).any() else ""
    notes = [f"how many each number is of, for {registry.title(method)} as it is: {'; '.join(counted)}{positive}"]
    if alone:
        notes.append(f"{alone}: one batch, so that whatever compares batches is of the other cell types")
    return notes


def _composition(results: Results, name: str, split: str) -> list[str]:
    """What the screen's layout lets corrections tell: batch from treatment, and a batch's controls from their noise."""
    index = scored_wells(results, split)
    notes = []
    treatments = shared(index)
    if treatments.mostly_alone:
        using = ", ".join(using_all_wells(results.registry, name))
        cannot = f"corrections that use all wells ({using}) cannot tell batch from treatment there, and take away both"
        notes.append(f"{treatments}: {cannot}" if using else str(treatments))
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


def _of_positions(place: Positions, lacking: list[str]) -> list[str]:
    """Whether replicates may be alike for their position alone."""
    if not place.sentence:
        return []
    notes = [f"positions: {place.sentence}"]
    if place.layout.matters:
        notes.append(
            "other positions: neighbours and replicates in the same position of their plate are barred; position only: "
            "what a random well in the same position of another batch would give"
        )
    if any(ELSEWHERE.format(metric) in lacking for metric in SHOWN):
        notes.append(
            "where all replicates are in the same position nothing is left without them: that replicates find each "
            "other is then no proof of what perturbations do"
        )
    return notes


def _lacking(lacking: list[str]) -> list[str]:
    titles = [METRICS[metric].title for metric in lacking if metric in SHOWN]
    return [f"not defined on this screen, for want of wells that it needs: {'; '.join(titles)}"] if titles else []


KIND = CorrectionKind()
