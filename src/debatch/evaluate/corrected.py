"""Scores of corrected embeddings."""

import logging

import pandas as pd

from debatch.config.corrections import Correction
from debatch.correct.apply import correct_table
from debatch.errors import DataError
from debatch.evaluate.scores import score_embeddings, without_half

log = logging.getLogger(__name__)


def score_corrected(before: pd.DataFrame, after: pd.DataFrame, correction: Correction) -> pd.DataFrame:
    """`score_embeddings` of corrected embeddings, held against the same ones uncorrected.

    A correction that looks at controls is fitted again without one half of them and without the other: what it is held
    against it must not have seen.

    Args:
        before: embeddings as they were, with `Metadata_*` columns.
        after: the same, corrected.
        correction: by which.
    """
    if correction.sees != "controls":
        return score_embeddings(before, after)
    try:
        halves = [correct_table(without_half(before, half), correction) for half in (0, 1)]
    except DataError as error:
        log.warning("too few controls to hold half of them out, so that nothing is held against them: %s", error)
        halves = []
    return score_embeddings(before, after, halves)
