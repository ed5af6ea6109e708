"""Nearest neighbours, exactly, in blocks of queries.

Products are in the embeddings' own precision (float32 as they are stored): what differs by less than its rounding is
in either order. Where scores are equal to the last bit, the lowest index comes first.
"""

from collections.abc import Callable, Iterator

import numpy as np

from debatch.evaluate.vectors import blocks, finite, members, unit

_SAMPLE_EVERY = 16

Bar = Callable[[int], list[np.ndarray]]


def knn_predict(
    bank: np.ndarray, bank_labels: np.ndarray, queries: np.ndarray, k: int = 10, temperature: float = 0.1
) -> np.ndarray:
    """Predict by a vote of the k nearest neighbours, each weighing exp(cosine similarity / temperature).

    What is all zero has no direction: in the bank it is no neighbour, and such a query gets the bank's most frequent
    label. Of labels with equal votes, the first in their order wins.

    Args:
        bank: (N, D) embeddings whose labels are known.
        bank_labels: (N,).
        queries: (M, D).
        k: neighbours asked; all of the bank where it has fewer.
        temperature: the lower, the more the nearest ones count; above 0.

    Returns:
        (M,) labels.

    Raises:
        ValueError: k below 1, lengths or features that do not match, values that are not finite, a bank without a
            direction.

    Source: Wu et al. 2018, section 3.4.
    """
    if k < 1 or not temperature > 0:
        raise ValueError(f"k-NN needs k of at least 1 and a temperature above 0, not {k} and {temperature}")
    bank, queries = finite(bank, "bank embeddings", labels=bank_labels), finite(queries, "queries")
    if bank.shape[1] != queries.shape[1]:
        raise ValueError(
            f"the bank has {bank.shape[1]} features and the queries {queries.shape[1]}; give them the same"
        )
    names, of = np.unique(bank_labels, return_inverse=True)
    units, good = unit(bank), bank.any(axis=1)
    if not good.any():
        raise ValueError(
            f"none of the {len(bank)} embeddings of the bank has a direction, so that queries have no neighbours"
        )
    if not good.all():
        units, of = units[good], of[good]
    predicted = np.full(len(queries), np.bincount(of).argmax())
    for block, neighbours, similarity in nearest(unit, queries, units, min(k, len(units))):
        # less the largest, so that a low temperature does not overflow
        weights = np.exp((similarity - similarity[:, :1]) / temperature)
        votes = count_by_row(of[neighbours], len(names), weights)
        known = queries[block].any(axis=1)
        predicted[block][known] = votes[known].argmax(axis=1)
    return np.asarray(names[predicted])


def nearest_label(
    bank: np.ndarray,
    bank_labels: np.ndarray,
    queries: np.ndarray,
    bank_groups: np.ndarray | None = None,
    query_groups: np.ndarray | None = None,
) -> np.ndarray:
    """Predict by the one nearest neighbour by cosine similarity, where need be among those of other groups.

    What is all zero has no direction: in the bank it is no neighbour, and such a query gets the bank's most frequent
    label.

    Args:
        bank: (N, D) embeddings whose labels are known.
        bank_labels: (N,).
        queries: (M, D).
        bank_groups: (N,) whole numbers; None: there are no groups, and nothing is barred.
        query_groups: (M,) likewise: no neighbour of a query is of its own group.

    Returns:
        (M,) labels.

    Raises:
        ValueError: as `knn_predict`; or nothing of the bank is left for a group.
    """
    if bank_groups is None or query_groups is None:
        return knn_predict(bank, bank_labels, queries, k=1)
    bank = finite(bank, "bank embeddings", labels=bank_labels, groups=bank_groups)
    queries = finite(queries, "queries", groups=query_groups)
    good = bank.any(axis=1)
    units, labels, groups = unit(bank[good]), np.asarray(bank_labels)[good], np.asarray(bank_groups)[good]
    own = {group: np.flatnonzero(groups == group) for group in np.unique(query_groups).tolist()}
    for group, places in own.items():
        if len(places) == len(groups):
            raise ValueError(f"all {len(groups)} embeddings of the bank are of the group {group}: none is a neighbour")
    names, of = np.unique(labels, return_inverse=True)
    predicted = np.full(len(queries), np.bincount(of).argmax())
    for block, neighbours, _ in nearest(unit, queries, units, 1, lambda query: [own[int(query_groups[query])]]):
        known = queries[block].any(axis=1)
        predicted[block][known] = of[neighbours[known, 0]]
    return np.asarray(names[predicted])


def nearest_neighbor_accuracy(embeddings: np.ndarray, labels: np.ndarray, exclude: np.ndarray | None = None) -> float:
    """How often the nearest neighbour by cosine similarity has the same label; itself never is one.

    NSC (not same compound) bars neighbours of the same compound or treatment, NSCB those of the same batch too. What is
    all zero has no direction: it is nobody's neighbour and counts as wrong, since a model is not to gain by what it
    gives up on.

    Args:
        embeddings: (N, D).
        labels: (N,), as mechanisms.
        exclude: (N,) or (N, K): neighbours that share any of these are barred.

    Returns:
        Accuracy over the embeddings that have a neighbour left; NaN where none has.

    Raises:
        ValueError: lengths that do not match, values that are not finite.

    Source: Ljosa et al. 2013; Ando et al. 2017.
    """
    hits = nearest_neighbor_hits(embeddings, labels, exclude)
    return float(np.nanmean(hits)) if np.isfinite(hits).any() else float("nan")


def nearest_neighbor_hits(embeddings: np.ndarray, labels: np.ndarray, exclude: np.ndarray | None = None) -> np.ndarray:
    """1 where the nearest neighbour has the same label, 0 where not, NaN where there is none; as the accuracy.

    Args:
        embeddings: (N, D).
        labels: (N,), or (N, R) for R ways of labelling them: neighbours are found once.
        exclude: as in the accuracy.

    Returns:
        (N,) or (N, R).
    """
    labels = np.asarray(labels)
    exclude = np.empty((len(labels), 0)) if exclude is None else np.asarray(exclude)
    embeddings = finite(embeddings, labels=labels, exclude=exclude)
    barred_by = [members(column) for column in exclude.reshape(len(labels), -1).T]
    nowhere = np.flatnonzero(~embeddings.any(axis=1))
    units = unit(embeddings)

    def barred(query: int) -> list[np.ndarray]:
        return [np.array([query]), nowhere, *(groups[codes[query]] for codes, groups in barred_by)]

    ways = labels.reshape(len(labels), -1)
    hits = np.full(ways.shape, np.nan)
    for block, neighbours, similarity in nearest(as_it_is, units, units, 1, barred):
        right = (ways[neighbours[:, 0]] == ways[block]) & units[block].any(axis=1, keepdims=True)
        hits[block] = np.where(np.isfinite(similarity), right, np.nan)
    return hits.reshape(labels.shape)


def nearest(
    prepare: Callable[[np.ndarray], np.ndarray],
    queries: np.ndarray,
    bank: np.ndarray,
    k: int,
    barred: Bar | None = None,
    offset: np.ndarray | None = None,
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """The k of a bank with the largest scores, exactly: score = query . bank + offset.

    Args:
        prepare: what to do to a block of queries first, as `unit`: it saves a copy of all of them.
        queries: (M, D).
        bank: (N, D).
        k: at most N.
        barred: of a query's number: those of the bank that are no neighbours of it. They score -inf.
        offset: (N,).

    Yields:
        A block of queries, (B, k) their neighbours, the first the nearest, and (B, k) their scores.
    """
    sample, rank = _sample(len(bank), k)
    for block in blocks(len(queries)):
        scores = prepare(queries[block]) @ bank.T
        if offset is not None:
            scores += offset
        if barred is not None:
            for row, query in enumerate(range(block.start, block.stop)):
                for places in barred(query):
                    scores[row, places] = -np.inf
        if k == 1:
            found = scores.argmax(axis=1)[:, None]
        else:
            found = np.empty((len(scores), k), np.intp)
            least = np.partition(scores[:, sample], -rank, axis=1)[:, -rank] if rank else np.full(len(scores), -np.inf)
            for row, threshold in enumerate(least):
                found[row] = _largest(scores[row], threshold, k)
        yield block, found, np.take_along_axis(scores, found, axis=1)


def _largest(scores: np.ndarray, threshold: float, k: int) -> np.ndarray:
    """(k,) places of the largest scores (N,), quickly where a few more than k reach the threshold."""
    places = np.flatnonzero(scores >= threshold)
    if len(places) < k:
        places = np.arange(len(scores))
    return np.asarray(places[np.argsort(-scores[places], kind="stable")[:k]])


def _sample(count: int, k: int) -> tuple[np.ndarray, int]:
    """A sample of places, and the rank in it of a value that k of all places or more are almost sure to reach.

    A full selection of 300 from 60,000 takes longer than the products; comparing with one value takes no time. A rank
    of 0: the sample is too small, and all are sorted.
    """
    size = count // _SAMPLE_EVERY
    sample = np.sort(np.random.default_rng(0).choice(count, size, replace=False))
    expected = k / _SAMPLE_EVERY
    rank = int(np.ceil(expected + 4 * np.sqrt(expected) + 4))  # four sds above
    return sample, rank if rank < size else 0


def count_by_row(codes: np.ndarray, groups: int, weights: np.ndarray | None = None) -> np.ndarray:
    """(B, groups): how often a row of codes (B, k) has each, or the sum of its weights (B, k)."""
    places = codes + groups * np.arange(len(codes))[:, None]
    counts = np.bincount(places.ravel(), None if weights is None else weights.ravel(), len(codes) * groups)
    return np.asarray(counts.reshape(len(codes), groups))


def as_it_is(vectors: np.ndarray) -> np.ndarray:
    """What `nearest` does to queries that are prepared."""
    return vectors
