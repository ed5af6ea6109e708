"""What all metrics do first: embeddings as vectors, checked and made of length 1, in blocks and in groups."""

import numpy as np

_BLOCK = 512


def finite(embeddings: np.ndarray, what: str = "embeddings", **columns: np.ndarray) -> np.ndarray:
    """`vectors`, once all their values are finite.

    Raises:
        ValueError: what is wrong, and with how many rows.
    """
    embeddings = vectors(embeddings, what, **columns)
    bad = sum(int((~np.isfinite(embeddings[at]).all(axis=1)).sum()) for at in blocks(len(embeddings)))
    if bad:
        raise ValueError(
            f"{bad} of {len(embeddings)} {what} have a value that is NaN or infinite; leave those rows out"
        )
    return embeddings


def vectors(embeddings: np.ndarray, what: str = "embeddings", **columns: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) as floating-point numbers, once each column has a value for each of them.

    Raises:
        ValueError: what does not match.
    """
    embeddings = np.asarray(embeddings)
    if embeddings.ndim != 2:
        raise ValueError(f"{what} need a row each and a column a feature, not the shape {embeddings.shape}")
    for name, values in columns.items():
        if len(values) != len(embeddings):
            raise ValueError(f"{len(embeddings)} {what}, but {len(values)} {name}: they need one each")
    return embeddings.astype(np.result_type(embeddings, np.float32), copy=False)


def unit(embeddings: np.ndarray) -> np.ndarray:
    """(N, D) vectors of length 1; one that is all zero stays so."""
    # over its largest value first: squares of very large or very small ones would be infinite or 0
    largest = np.maximum(embeddings.max(axis=1, initial=0), -embeddings.min(axis=1, initial=0))[:, None]
    scaled = np.divide(embeddings, largest, out=np.zeros_like(embeddings), where=largest > 0)
    lengths = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))[:, None]
    return np.divide(scaled, lengths, out=scaled, where=lengths > 0)


def blocks(count: int) -> list[slice]:
    """Slices of a block each."""
    return [slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]


def members(values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """(N,) the group of each, and the places of each group."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return codes, np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
