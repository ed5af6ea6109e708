"""A trained model's embeddings and predictions of a screen's images."""

from debatch.embed.embed import Embedded, embed_images, snapshot_predictions
from debatch.embed.many_statistics import PredictedUnder, predict_under_each
from debatch.embed.statistics import StatisticsGroup, held_by_few_classes, statistics_groups, training_groups

__all__ = [
    "Embedded",
    "PredictedUnder",
    "StatisticsGroup",
    "embed_images",
    "held_by_few_classes",
    "predict_under_each",
    "snapshot_predictions",
    "statistics_groups",
    "training_groups",
]
