"""What `debatch check` prints of a screen of profiles."""

import numpy as np
import pandas as pd

from debatch.cli.terminal import Lines, values_table
from debatch.config.screen import Screen
from debatch.embedding_table import feature_names, features_of
from debatch.errors import UserError
from debatch.registry import Registry
from debatch.screen.contents import contents
from debatch.screen.ingest.plan import PASSED_OVER, Problems
from debatch.screen.metadata import WELL_TYPES, natural_key
from debatch.screen.names.spelling import doubtful_names
from debatch.screen.profiles.index import described, embed_profiles, index_profiles, places_of
from debatch.screen.profiles.read import read_profiles
from debatch.screen.profiles.spread import beyond_reason, usual_spread
from debatch.screen.shared import shared
from debatch.screen.splits import make_split

MOST_BATCHES = 40
EXAMPLES = 5


def check_profiles_lines(registry: Registry) -> tuple[Lines, bool]:
    """The screen's wells by batch and its profiles in words, and whether nothing is wrong with them."""
    screen = registry.screen
    title = f": {screen.title}" if screen.title else ""
    lines: Lines = [f"Screen {registry.name}{title}", ""]
    clean = True
    listed = Problems("index", "left out" if screen.on_problem == "drop" else "failed")
    index = index_profiles(screen, listed)
    lines += [*_wells(index), *_of_metadata(listed), ""]
    names, undrawn = doubtful_names(index, screen.missing), _splits(screen, index)
    if names or undrawn or listed.count:
        clean = False
        lines += [*names, *undrawn, ""]
    for name, profile_set in registry.externals.items():
        lines.append(f"Profiles {name}: {', '.join(profile_set.names())}")
        problems = Problems(name, "left out")
        try:
            kept = screen.model_copy(update={"on_problem": "drop"})
            profiles = read_profiles(profile_set, screen)
            table = embed_profiles(profiles, profile_set, kept, index, problems)
        except UserError as error:
            lines.append(f"  {registry.in_own_words(str(error))}")
            clean = False
            continue
        features = features_of(table)
        lines.append(f"  {len(table):,} profiles of {features.shape[1]:,} features, values {_range(features)}")
        if profiles.left_out:
            lines.append(
                f"  {len(profiles.left_out)} columns of numbers are no features, as "
                f"{', '.join(profiles.left_out[:EXAMPLES])}; `features` says otherwise"
            )
        if profiles.unmatched:
            clean = False
            lines.append(f"  no column fits {_patterns(profiles.unmatched)} of `features`")
        passed = [row for row in problems.rows if row["action"] == PASSED_OVER]
        for what, rows in pd.DataFrame(passed).groupby("problem", sort=False) if passed else ():
            lines.append(f"  {len(rows):,} passed over: {what}, as {places_of(rows.to_dict('records'))}")
        beyond = beyond_reason(features)
        if len(beyond):
            clean = False
            some = ", ".join(f"{feature_names(table)[at]} ({spread:.3g})" for at, spread in beyond[:EXAMPLES])
            lines.append(
                f"  {len(beyond)} features vary beyond reason and would drown the others: {some}, where the "
                f"usual standard deviation is {usual_spread(features):.3g}; leave them out by `features`, or mend what "
                "made them"
            )
        if problems.count:
            clean = False
            what = "stop the screen" if screen.on_problem == "fail" else "will be left out"
            lines.append(
                f"  {problems.count} profiles or features have missing or infinite values and {what} (`on_problem`):"
            )
            lines += [f"    {described(row)}" for row in problems.real[:EXAMPLES]]
    return lines, clean


def _of_metadata(listed: Problems) -> Lines:
    """Wells of the metadata and of profiles that did not meet."""
    rows = pd.DataFrame(listed.rows)
    if rows.empty:
        return []
    return [
        f"  {len(own):,} x {what}, as {places_of(own.to_dict('records'))}"
        for what, own in rows.groupby("problem", sort=False)
    ]


def _wells(index: pd.DataFrame) -> Lines:
    counts = pd.DataFrame(
        {
            "wells": index.groupby("batch").size(),
            "plates": index.drop_duplicates(["batch", "plate"]).groupby("batch").size(),
            "perturbations": index.groupby("batch")["perturbation"].nunique(),
            **{
                kind.replace("_", " "): (index["well_type"] == kind).groupby(index["batch"]).sum()
                for kind in WELL_TYPES
            },
        }
    )
    lines: Lines = [
        f"{len(index):,} profiles in {len(counts):,} batches, {index['perturbation'].nunique():,} perturbations"
    ]
    lines += _treatments(index)
    lines += [f"  {what}: {many}" for what, many in contents(index)]
    if without_name := int(index["perturbation"].isna().sum()):
        lines.append(f"  {without_name:,} wells have no perturbation")
    without = counts.index[counts["negative control"] == 0]
    if len(without):
        lines.append(f"  no negative control in {', '.join(map(str, without[:EXAMPLES]))}: see `well_types`")
    counts = counts.sort_index(key=lambda batches: batches.map(natural_key))
    lines.append(values_table(counts.head(MOST_BATCHES).reset_index().to_dict("records")))
    if len(counts) > MOST_BATCHES:
        lines.append(f"  … and {len(counts) - MOST_BATCHES} more")
    return lines


def _treatments(index: pd.DataFrame) -> Lines:
    """How many treatments are in several batches, and what follows where few are."""
    treatments = shared(index)
    if not treatments.treatments or not index["batch"].nunique() > 1:
        return []
    if not treatments.several:
        lines = [f"  warning: {treatments}: no replicate can be found across batches"]
    else:
        lines = [
            f"  {treatments.several:,} of {treatments.treatments:,} treatments are in several batches: only their "
            "replicates can be found across batches"
        ]
    if not treatments.tells:
        lines.append(
            "  treated wells cannot tell batch from treatment: negative controls will say what removes the batch effect"
        )
    if treatments.mostly_alone:
        lines.append(
            "  corrections that use all wells of a batch (ComBat, Harmony, MNN, Z-norm of all wells) take away a "
            "treatment's effect with that of its batch where it is in one batch only"
        )
    return list(lines)


def _splits(screen: Screen, index: pd.DataFrame) -> Lines:
    """Splits that cannot be drawn, and why."""
    lines: Lines = []
    for name in screen.splits.names:
        try:
            make_split(name, index, screen.splits)
        except UserError as error:
            lines.append(f"cannot be drawn: {error}")
    return lines


def _patterns(patterns: list[str]) -> str:
    return ", ".join(map(repr, patterns))


def _range(features: np.ndarray) -> str:
    return f"{features.min():.3g} to {features.max():.3g}"
