"""A trained model's embeddings and predictions of a screen's images."""

from debatch.embed.embed import Embedded, embed_images, snapshot_accuracy
from debatch.embed.statistics import StatisticsGroup, statistics_groups, training_groups

__all__ = [
    "Embedded",
    "StatisticsGroup",
    "embed_images",
    "snapshot_accuracy",
    "statistics_groups",
    "training_groups",
]
