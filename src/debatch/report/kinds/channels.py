"""What figures share that compare models trained on subsets of the channels."""

from typing import Any

from debatch.config.screen import Screen
from debatch.registry.kinds import Kind
from debatch.registry.variants import MOST_CHANNELS, Deriver, Variant, subset_players


def lacking_subsets(kind: Kind, spec: Any, screen: Screen) -> str:
    """Why a screen cannot train on each subset, as `Kind.lacking` says it."""
    if screen.training.weights:
        return (
            "compares subsets of the channels, and pretrained weights (`training.weights`) fit the first layer of each "
            "differently; leave them out"
        )
    players = len(subset_players(screen))
    if players > MOST_CHANNELS:
        return (
            f"trains a model on each of {2**players - 1:,} subsets of the channels; name {MOST_CHANNELS} at most as "
            "`training.channels`, or leave it out"
        )
    return ""


def subset_variants(kind: Kind, target: str, spec: Any, deriver: Deriver) -> list[Variant]:
    """A row a subset, as `Kind.variants` gives them."""
    return deriver.channel_subsets(target, spec.methods)
