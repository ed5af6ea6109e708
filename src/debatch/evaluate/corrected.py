"""Scores of corrected embeddings."""

import logging

import pandas as pd

from debatch.config.corrections import Correction
from debatch.correct.apply import correct_table
from debatch.errors import DataError
from debatch.evaluate.controls import without_half
from debatch.evaluate.scores import Uncorrected, score_against

log = logging.getLogger(__name__)


def score_corrected(before: Uncorrected, after: pd.DataFrame, correction: Correction) -> pd.DataFrame:
    """`score_against` of corrected embeddings, held against the same ones uncorrected.

    A correction that uses controls is fitted twice more, each time without one half of them: metrics against controls
    take those that it was not fitted on.

    Args:
        before: embeddings as they were, with `Metadata_*` columns.
        after: the same, corrected.
        correction: the one that was made.
    """
    if correction.sees != "controls":
        return score_against(before, after)
    try:
        halves = [correct_table(without_half(before.table, half), correction) for half in (0, 1)]
    except DataError as error:
        log.warning(
            "too few controls to hold half of them out, so that metrics against controls are left out: %s", error
        )
        halves = []
    return score_against(before, after, halves)
