"""A trained model's embeddings and predictions of a screen's images."""

from debatch.embed.embed import METADATA, Embedded, embed_images
from debatch.embed.statistics import StatisticsGroup, statistics_groups

__all__ = ["METADATA", "Embedded", "StatisticsGroup", "embed_images", "statistics_groups"]
