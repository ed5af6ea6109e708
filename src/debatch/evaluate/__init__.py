"""Metrics: NumPy in, plain numbers or small frames out.

- labels from neighbours or a line: `knn_predict`, `nearest_label`, `linear_probe`, `nearest_neighbor_accuracy` (NSC,
  NSCB); what they are worth by class: `f1_by_class`, `macro_f1`
- replicates that find each other: `replicate_map`, `grit`, `cosine_similarity_distributions`
- batches that are gone or not: `kbet`, `batch_probe`; `znorm` (of `debatch.correct`) takes them out
- what a correction costs: `separability`, `positive_control_retention`, `weak_separability`
- what each part of a screen adds: `shapley_values`

Embeddings are (N, D), a row each; beside them stand (N,) columns. Each function says what it does with what it cannot
score: a ValueError, or NaN.
"""

from typing import TYPE_CHECKING, Any

from debatch.correct.znorm import znorm
from debatch.evaluate.batch_effect.kbet import kbet
from debatch.evaluate.batch_effect.linear import linear_probe
from debatch.evaluate.f1 import f1_by_class, macro_f1
from debatch.evaluate.neighbors import knn_predict, nearest_label, nearest_neighbor_accuracy
from debatch.evaluate.replicates.cosine import cosine_similarity_distributions
from debatch.evaluate.replicates.grit import grit
from debatch.evaluate.replicates.retrieval import replicate_map
from debatch.evaluate.replicates.separability import positive_control_retention, separability, weak_separability
from debatch.evaluate.shapley import shapley_values

if TYPE_CHECKING:
    from debatch.evaluate.batch_effect.probe import batch_probe

__all__ = [
    "batch_probe",
    "cosine_similarity_distributions",
    "f1_by_class",
    "grit",
    "kbet",
    "knn_predict",
    "linear_probe",
    "macro_f1",
    "nearest_label",
    "nearest_neighbor_accuracy",
    "positive_control_retention",
    "replicate_map",
    "separability",
    "shapley_values",
    "weak_separability",
    "znorm",
]


def __getattr__(name: str) -> Any:
    """The probe when it is asked for: scikit-learn takes longer to import than all the rest."""
    if name == "batch_probe":
        from debatch.evaluate.batch_effect.probe import batch_probe

        return batch_probe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
