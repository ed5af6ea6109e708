"""When a self-supervised network has stopped to tell images apart, by what its history says. Imports no torch."""

from collections.abc import Mapping

# in the space that classes could be told apart in there is one direction left
FEWEST_DIRECTIONS = 2.0
# shares of ln K: of a teacher that says the same of every prototype, or of a sharp one
UNIFORM_ENTROPY = 0.995
LEAST_SPREAD = 1e-4


def collapse_of(row: Mapping[str, float]) -> str:
    """Why an epoch looks like a collapse, as a clause; empty where it does not, or where it is of another objective.

    Args:
        row: of a run's history.
    """
    rank, spread = row.get("effective_rank"), row.get("embedding_sd")
    entropy = row.get("teacher_entropy")
    if spread is not None and spread < LEAST_SPREAD:
        return f"all embeddings are nearly the same (sd {spread:.2g})"
    if rank is not None and rank < FEWEST_DIRECTIONS:
        return f"embeddings vary along one direction alone (effective rank {rank:.1f})"
    if entropy is not None and entropy > UNIFORM_ENTROPY:
        return f"the teacher finds every prototype as likely as any other (entropy {entropy:.3f} of ln K)"
    return ""
