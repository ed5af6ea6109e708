"""A job in people's words."""

import re
from collections.abc import Mapping

# What a rule does, by its name or the beginning of it: one that has several forms says which after that. A rule that is
# not here is called by its name.
DOES = {
    "correct_run": "correcting",
    "embed_adaptation": "adapting to few images:",
    "embed_profiles": "reading profiles of",
    "embed_run": "embedding",
    "embed_screen": "embedding",
    "evaluate_profiles": "scoring",
    "index": "indexing the images",
    "index_profiles": "indexing the profiles",
    "ingest_experiment": "reading images of",
    "make_explorer": "writing the explorer",
    "make_figure": "drawing",
    "make_illumination": "mean images of plates",
    "make_page": "writing a paper's page",
    "make_plates": "plate heat maps",
    "make_report": "writing the report",
    "make_table": "making",
    "make_thumbnails": "small pictures of",
    "normalize": "image statistics by",
    "nulls": "levels of chance",
    "predict_profiles": "matching profiles of",
    "probe_profiles": "probing",
    "probe_run": "probing",
    "probe_training_side": "probing",
    "project_run": "projecting",
    "readout_run": "classifying",
    "qc": "a look at the images",
    "score_run": "scoring",
    "simulate_experiment": "simulating",
    "simulate_metadata": "simulating the plates",
    "split": "choosing images",
    "train": "training",
    "write_h5ad": "writing AnnData of",
    "write_ome_zarr": "writing OME-Zarr of",
}
SPLITS = {
    "separated": "for unseen batches",
    "separated_val": "for validation batches",
    "stratified": "for seen batches",
    "stratified_site": "for seen wells",
}
RUN = re.compile(r"(?P<method>[^/]+)/(?P<split>[^/]+)/seed(?P<seed>[0-9]+)")


def kind_of_rule(rule: str) -> str:
    """The kind of work of a rule: its name without that of its form."""
    known = [name for name in DOES if rule == name or rule.startswith(f"{name}_")]
    return max(known, key=len, default=rule)


def words(rule: str, wildcards: Mapping[str, str]) -> str:
    """What a job does, as in `training baseline for unseen batches, seed 0`."""
    parts: list[str] = []
    for name, value in _told_apart(wildcards):
        if name == "split":
            told = SPLITS.get(value, f"for {_spaced(value)}")
            parts[-1:] = [f"{parts[-1]} {told}"] if parts else [told]
        elif name == "seed":
            parts.append(f"seed {value}")
        elif name == "inference":
            parts.append("profiles" if value == "profiles" else f"{_spaced(value)} statistics")
        elif value:
            parts.append(_spaced(value))
    return f"{DOES.get(kind_of_rule(rule), _spaced(rule))} {', '.join(parts)}".rstrip()


def _told_apart(wildcards: Mapping[str, str]) -> list[tuple[str, str]]:
    """Wildcards by name, the whole name of a run as its parts."""
    pairs: list[tuple[str, str]] = []
    for name, value in wildcards.items():
        run = RUN.fullmatch(value) if name == "run" else None
        pairs += run.groupdict().items() if run else [(name, value)]
    return pairs


def _spaced(name: str) -> str:
    return name.lstrip(".").replace("_", " ")


def duration(seconds: float) -> str:
    """As in `40 s`, `3 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    for at, (unit, size) in enumerate(units):
        if whole >= size or size == 1:
            smaller, small = units[at + 1] if size > 1 else ("", 1)
            rest = whole % size // small if smaller else 0
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError


def time_left(seconds: float | None) -> str:
    """An estimate, no finer than it can be; nothing where there is no basis."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 95:
        return f"about {10 * round(seconds / 10)} s left"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min left"
    if seconds < 48 * 3600:
        return f"about {round(seconds / 3600)} h left"
    return f"about {round(seconds / 86400)} days left"
