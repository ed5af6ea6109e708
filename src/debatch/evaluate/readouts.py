"""What simple classifiers make of frozen embeddings, fitted on training images, and how batches mix on either side."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from debatch.config.corrections import Correction, ZNorm
from debatch.correct.apply import correct_table
from debatch.embedding_table import features_of, images_of
from debatch.errors import DataError
from debatch.evaluate.batch_effect.linear import linear_probe
from debatch.evaluate.batch_effect.mixing import image_mixing
from debatch.evaluate.controls import Scored, without_half
from debatch.evaluate.mechanisms import mechanism_values
from debatch.evaluate.neighbors import knn_predict
from debatch.evaluate.replicates.wells import grit_of_wells
from debatch.evaluate.tidy import ALL, COLUMNS
from debatch.evaluate.values import Values

log = logging.getLogger(__name__)

CONTROLS, EVERY = ZNorm(kind="znorm", reference="controls"), ZNorm(kind="znorm", reference="all")
Row = tuple[str, str, str, str, float, int]


def readout_scores(training: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Score a run's embeddings by what is fitted on its training images alone; images without a label are left out.

    Accuracies per image over all classes, controls included: `linear_accuracy`, multinomial logistic regression;
    `knn_accuracy`, weighted vote of the 10 nearest training images by cosine similarity, temperature 0.1;
    `znorm_knn_accuracy`, the same after each batch's embeddings were standardised by its control wells, training and
    test images each by their own; `znorm_all_knn_accuracy`, by all of the batch. Of training images (`_train`), of test
    images (`_test`) and of those standardised by controls (`_test_znorm`): `kbet` and `neighbor_same_batch` as
    `score_embeddings` has them, with the latter's `_chance`; `grit`, standardised by one half of the controls and
    scored against the other. `nsc`, `nsc_znorm`: mechanism of the nearest treatment of another compound, of test
    images.

    Args:
        training: embeddings of the split's training images, with `Metadata_*` columns.
        test: those of its test images.

    Returns:
        Tidy: metric, subset (`all`, `treatments`), cell_type and batch (empty: all), value (a share, or sds), n. NaN
        where a metric is not defined. No number depends on the order of images.

    Raises:
        DataError: no training or no test image has a label and a finite embedding.

    Source: Haslum et al. 2023 (CDCL), section 4 and appendix B.
    """
    training, test = _usable(training, "training"), _usable(test, "test")
    rows = [*_accuracies("linear_accuracy", test, _linear(training, test))]
    rows += _accuracies("knn_accuracy", test, _knn(training, test))
    by_controls = _standardised(test, CONTROLS)
    for name, correction, after in (
        ("znorm_knn_accuracy", CONTROLS, by_controls),
        ("znorm_all_knn_accuracy", EVERY, _standardised(test, EVERY)),
    ):
        before = _standardised(training, correction)
        if before is not None and after is not None:
            rows += _accuracies(name, test, _knn(before, after))
    for side, table in (("train", training), ("test", test)):
        rows += _mixing(side, table)
        rows += _tidy(f"grit_{side}", grit_of_wells(Scored.of(table, None)))
    rows += _tidy("nsc", mechanism_values(test, ())) if _has_mechanisms(test) else []
    if by_controls is not None:
        rows += _mixing("test_znorm", by_controls)
        halves = [_standardised(without_half(test, half), CONTROLS) for half in (0, 1)]
        if all(half is not None for half in halves):
            rows += _tidy(
                "grit_test_znorm", grit_of_wells(Scored.of(by_controls, [h for h in halves if h is not None]))
            )
        rows += _tidy("nsc_znorm", mechanism_values(by_controls, ())) if _has_mechanisms(test) else []
    return pd.DataFrame(rows, columns=COLUMNS)


def _usable(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """In one order, whatever order they came in: of equally near neighbours the first counts."""
    usable = np.isfinite(features_of(table)).all(axis=1) & table["Metadata_Perturbation"].notna().to_numpy()
    if not usable.any():
        raise DataError(f"no {side} image of the split has a label and a finite embedding")
    if not usable.all():
        log.warning("%d of %d %s images have no label or no finite embedding", (~usable).sum(), len(table), side)
    return table[usable].sort_values("Metadata_Image", kind="stable").reset_index(drop=True)


def _classes(table: pd.DataFrame) -> np.ndarray:
    return table["Metadata_Perturbation"].to_numpy(str)


def _linear(training: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    return linear_probe(features_of(training), _classes(training), features_of(test))


def _knn(training: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    return knn_predict(features_of(training), _classes(training), features_of(test))


def _standardised(table: pd.DataFrame, correction: Correction) -> pd.DataFrame | None:
    """None where a batch has too little to be standardised by."""
    try:
        return correct_table(table, correction)
    except DataError as error:
        log.warning("scores of standardised embeddings are left out: %s", error)
        return None


def _accuracies(metric: str, test: pd.DataFrame, predicted: np.ndarray) -> Iterator[Row]:
    images = images_of(test)
    right = (predicted == _classes(test)).astype(np.float64)
    kinds, batches = images["cell_type"].to_numpy(str), images["batch"].to_numpy(str)
    treated = (images["well_type"] == "treatment").to_numpy()
    yield from _tidy(metric, Values(right, batches, kinds, batches))
    yield from _tidy(metric, Values(np.where(treated, right, np.nan), batches, kinds, batches), "treatments")


def _mixing(side: str, table: pd.DataFrame) -> Iterator[Row]:
    for metric, values in image_mixing(table).items():
        yield from _tidy(f"{metric}_{side}", values)
        if values.chance is not None:
            chance = Values(np.where(np.isfinite(values.values), values.chance, np.nan), values.units, values.kinds)
            yield from _tidy(f"{metric}_{side}_chance", chance)


def _has_mechanisms(table: pd.DataFrame) -> bool:
    return "Metadata_Mechanism" in table


def _tidy(metric: str, values: Values, subset: str = "all") -> Iterator[Row]:
    """Means over all rows that have a value, by cell type, by batch, and by both."""
    frame = pd.DataFrame({"value": values.values, "kind": values.kinds})
    frame["batch"] = ALL if values.batches is None else values.batches
    frame = frame[np.isfinite(frame["value"])]
    by_batch = [] if values.batches is None else [["batch"], ["kind", "batch"]]
    yield metric, subset, ALL, ALL, float(frame["value"].mean()), len(frame)
    for columns in (["kind"], *by_batch):
        for key, own in frame.groupby(columns):
            named = dict(zip(columns, key, strict=True))
            place = str(named.get("kind", ALL)), str(named.get("batch", ALL))
            yield metric, subset, *place, float(own["value"].mean()), len(own)
