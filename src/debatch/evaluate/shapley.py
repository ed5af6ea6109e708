"""Shapley values: what each player adds to a game's value, on average over all orders of joining."""

from collections.abc import Mapping
from itertools import combinations
from math import comb


def shapley_values(value: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Exact Shapley values.

    Args:
        value: of every subset of the players, the empty one included.

    Returns:
        Player -> value; they sum to that of all players less that of none.

    Raises:
        ValueError: a subset is missing.

    Source: Shapley 1953; RxRx1 paper, section 5.6.
    """
    players = sorted(frozenset().union(*value))
    subsets = [frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size)]
    missing = [subset for subset in subsets if subset not in value]
    if missing:
        raise ValueError(
            f"no value for {len(missing)} of {len(subsets)} subsets, as {{{', '.join(sorted(missing[0]))}}}"
        )
    return {
        player: sum(
            (value[subset | {player}] - value[subset]) / (len(players) * comb(len(players) - 1, len(subset)))
            for subset in subsets
            if player not in subset
        )
        for player in players
    }
