from script import job  # first: it finds the package

from pathlib import Path

from debatch.registry import build_registry
from debatch.screen.ingest.plan import Problems
from debatch.screen.profiles.index import embed_profiles
from debatch.screen.profiles.read import read_profiles
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    name = snakemake.wildcards.external
    screen = build_registry(snakemake.params.choice, Path(snakemake.params.base)).screen
    own = screen.profiles[name]
    problems = Problems(name, "failed" if screen.on_problem == "fail" else "left out")
    profiles = read_profiles(own, screen)
    if profiles.left_out:
        log.info("%d columns of numbers are no features: %s", len(profiles.left_out), ", ".join(profiles.left_out))
    try:
        table = embed_profiles(profiles, own, screen, read_frame(snakemake.input.index), problems)
    finally:
        problems.write(Path(snakemake.log.problems))
    write_frame(table, snakemake.output[0], {"profiles": name, "sha256": snakemake.params.sha256 or ""})
    log.info("%s: %d profiles; %d problems, listed in %s", name, len(table), problems.count, snakemake.log.problems)
