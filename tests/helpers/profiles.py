"""Screens of profiles as the workflow enters them."""

from debatch.screen.ingest.plan import Problems
from debatch.screen.profiles.index import embed_profiles, index_profiles
from debatch.screen.profiles.read import read_profiles


def entered(screen, name="cp"):
    """The index, and a set's embeddings."""
    index, own = index_profiles(screen), screen.profiles[name]
    problems = Problems(name, "failed" if screen.on_problem == "fail" else "left out")
    return index, embed_profiles(read_profiles(own, screen), own, screen, index, problems), problems
