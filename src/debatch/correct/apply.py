"""A named correction of a table of embeddings, within each cell type."""

import logging

import numpy as np
import pandas as pd

from debatch.config.corrections import Combat, Correction, Harmony, MadRobustize, Mnn, Sphering, Tvn, ZNorm
from debatch.config.screen import CONTROLS, NEGATIVE_CONTROL
from debatch.correct.combat import combat
from debatch.correct.harmony import harmony
from debatch.correct.mad import mad_robustize
from debatch.correct.mnn import mnn
from debatch.correct.sphering import sphering, tvn
from debatch.correct.znorm import znorm
from debatch.embedding_table import METADATA, feature_names, features_of, images_of, with_features
from debatch.errors import DataError

log = logging.getLogger(__name__)

_NEEDED = ("image_id", "batch", "cell_type", "well_type")
_LEAST = 2  # embeddings that a mean and a spread are taken of
_WITHOUT_CONTROLS = "choose a correction that needs none (combat, harmony, mnn, znorm_all)"


def correct_table(table: pd.DataFrame, correction: Correction) -> pd.DataFrame:
    """Correct a table of embeddings: other features for the same rows, in the same order, with the same metadata.

    Each cell type is corrected by itself: across cell types a correction would take the cell type for a batch. Controls
    are positive and negative control wells together. It uses nothing but the embeddings, `Metadata_Batch`,
    `Metadata_CellType` and `Metadata_WellType` (whether a well is a control), and the order of rows does not matter:
    they are sorted by `Metadata_Image`.

    An embedding that is not finite is left out of fitting and comes out as NaN. A cell type of a single batch comes
    through `combat`, `harmony` and `mnn` with nothing aligned. With few controls in a batch, the noise of their mean
    and spread becomes a mark of the batch under the corrections that are fitted on them by batch.

    Args:
        table: `Metadata_*` columns and a column a feature (`debatch.embedding_table`).
        correction: which, with its parameters.

    Returns:
        As `table`, float32. Features on principal components are `component_000`, …, as many as the cell type with the
        fewest directions has; those of different cell types have nothing to do with each other.

    Raises:
        DataError: a column is missing, a batch has too few controls, or embeddings do not differ.
    """
    images = _checked(images_of(table).reset_index(drop=True))
    features = features_of(table)
    finite = np.isfinite(features).all(axis=1)
    if not finite.any():
        raise DataError(f"none of {len(finite)} embeddings is finite: there is nothing to correct")
    if not finite.all():
        log.warning("%d of %d embeddings are not finite: left out, and NaN in the result", (~finite).sum(), len(finite))
    rows = {
        str(cell_type): own.sort_values("image_id", kind="stable").index.to_numpy()
        for cell_type, own in images[finite].groupby("cell_type", sort=True)
    }
    corrected = {cell_type: _corrected(correction, cell_type, features, images, own) for cell_type, own in rows.items()}
    width = min(of.shape[1] for of in corrected.values())
    fewer = correction.model_copy(update={"components": width})
    for cell_type in [cell_type for cell_type, of in corrected.items() if of.shape[1] > width]:
        corrected[cell_type] = _corrected(fewer, cell_type, features, images, rows[cell_type])
    result = np.full((len(table), width), np.nan, np.float32)
    for cell_type, own in rows.items():
        with np.errstate(over="ignore"):
            result[own] = corrected[cell_type]
        if not np.isfinite(result[own]).all():
            raise DataError(
                f"{correction.kind}, cell type {cell_type}: numbers too large for float32: a feature hardly varies "
                "where it is fitted; leave such features out, or choose another correction"
            )
    names = feature_names(table)
    if isinstance(correction, Sphering | Tvn | Harmony | Mnn):
        names = [f"component_{number:03d}" for number in range(width)]
        if width < correction.components:
            log.warning(
                "%s: keeps %d of %d components: the embeddings have no more",
                correction.kind,
                width,
                correction.components,
            )
    return with_features(table.loc[:, table.columns.str.startswith("Metadata_")], result, names)


def _checked(images: pd.DataFrame) -> pd.DataFrame:
    absent = [METADATA[column] for column in _NEEDED if column not in images]
    if absent:
        raise DataError(f"embeddings without {', '.join(absent)}: a correction is made by batch within cell types")
    empty = [METADATA[column] for column in ("batch", "cell_type") if images[column].isna().any()]
    if empty:
        raise DataError(f"embeddings with empty {', '.join(empty)}: a correction is made by batch within cell types")
    return images


def _corrected(
    correction: Correction, cell_type: str, features: np.ndarray, images: pd.DataFrame, rows: np.ndarray
) -> np.ndarray:
    """(N, D) or (N, C): the rows of one cell type."""
    own = images.iloc[rows]
    batches = own["batch"].astype(str).to_numpy(object)
    controls = own["well_type"].isin(CONTROLS).to_numpy()
    embeddings = features[rows]
    try:
        match correction:
            case ZNorm() | MadRobustize():
                reference = controls if correction.reference == "controls" else np.ones(len(rows), bool)
                _check_reference(batches, reference, correction.reference)
                function = znorm if isinstance(correction, ZNorm) else mad_robustize
                return function(embeddings, batches, reference)
            case Sphering() | Tvn():
                if correction.reference == "negative_controls":
                    controls = (own["well_type"] == NEGATIVE_CONTROL).to_numpy()
                if isinstance(correction, Sphering):
                    return sphering(embeddings, controls, correction.components, correction.ridge)
                _check_reference(batches, controls, "controls")
                return tvn(embeddings, batches, controls, correction.components, correction.ridge)
        if len(set(batches)) == 1:
            log.warning("cell type %s has one batch, %s: %s aligns nothing", cell_type, batches[0], correction.kind)
        match correction:
            case Combat():
                return combat(embeddings, batches)
            case Harmony():
                return harmony(embeddings, batches, correction.components, correction.seed)
            case Mnn():
                return mnn(embeddings, batches, correction.components, correction.neighbors)
    except DataError as error:
        raise DataError(f"{correction.kind}, cell type {cell_type}: {error}") from None


def _check_reference(batches: np.ndarray, reference: np.ndarray, name: str) -> None:
    counts = pd.Series(reference).groupby(batches).sum()
    few = counts[counts < _LEAST]
    if few.empty:
        return
    listed = ", ".join(f"{batch} ({count})" for batch, count in few.items())
    if name == "all":
        raise DataError(f"fewer than {_LEAST} embeddings in the batches {listed}: leave these batches out")
    raise DataError(
        f"fewer than {_LEAST} embeddings of control wells in the batches {listed}: {_WITHOUT_CONTROLS}, leave these "
        "batches out, or name their controls in `well_types`"
    )
