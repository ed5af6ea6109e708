import json
import re
import sys
from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import ExecMode

# The folder of the Snakefile, also when the workflow is a module of another one or runs in another directory.
BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]


configfile: "config/config.yaml" if Path("config/config.yaml").exists() else str(BASE / "config/config.yaml")


# what the call that submitted this job was called for; no part of what a user chooses
ASKED = config.pop("asked", None)

from debatch.config import SCREEN_FIGURES
from debatch.registry import build_registry
from debatch.registry.asked import asked_products, embedded_targets, partly_made, refuse_lacking
from debatch.config.recipe import NORMALIZATIONS
from debatch.config.splits import Split
from debatch.config.base import SAFE_NAME
from debatch.registry.products import RunFolder, form_words, forms_of, probed
from debatch.config.statistics import STATISTICS
from debatch.digests import sha256_of_files
from debatch.errors import UserError
from debatch.files import FORMAT, Files, product_files, result_files
from debatch.runtime.slurm import demand, refuse_impossible

try:
    REGISTRY = build_registry(config, BASE)
except UserError as error:
    raise WorkflowError(str(error)) from None

FILES = Files(REGISTRY.results, REGISTRY.name)


def refuse_results_of_another_version():
    """Files of two versions must not be read as one."""
    # a cluster's job need not look again
    if workflow.exec_mode != ExecMode.DEFAULT or not Path(FILES.index()).exists():
        return
    from debatch.tabular import read_about

    try:
        found = int(read_about(FILES.index()).get("format", 0))
    except (OSError, ValueError):  # a broken file is said to be so by the job that reads it
        return
    if found != FORMAT:
        raise WorkflowError(
            f"{FILES.root} was made by {'an older' if found < FORMAT else 'a newer'} debatch (its files are of format "
            f"{found}, this one's of {FORMAT}), and the two are not mixed: move that folder away, or keep it and name "
            "another one by `--config results=<folder>`"
        )


refuse_results_of_another_version()
RUN = FILES.run("{method}", "{split}", "{seed}")
EXTERNAL = FILES.external("{external}")
ANY_RUN = FILES.any_run("{run}")
EXTERNALS = [*REGISTRY.externals, *([REGISTRY.model.name] if REGISTRY.model else [])]
PAGES = {page: REGISTRY.of_page(page) for page in REGISTRY.targets_of.pages}
EXPERIMENTS = frozenset(REGISTRY.experiments)
SCREEN = REGISTRY.screen.model_dump()
PARTS = {part: REGISTRY.screen.of_part(part).model_dump() for part in REGISTRY.screen.part_names()}
COMPUTE = REGISTRY.screen.compute


def any_of(names):
    """An expression for one of some names; for none of them one that matches nothing."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    # not the names: Snakemake writes this into every path that it matches, and a screen may have thousands
    experiment=SAFE_NAME.pattern,
    variant="|".join(NORMALIZATIONS),
    split=any_of(REGISTRY.split_names),
    chosen=any_of(REGISTRY.ome_zarr),
    method=any_of(REGISTRY.recipes),
    seed="[0-9]+",
    external=any_of(EXTERNALS),
    # of a trained run, or of embeddings made elsewhere
    run=f"(?:{any_of(REGISTRY.recipes)})/(?:{any_of(REGISTRY.split_names)})/seed[0-9]+|external/(?:{any_of(EXTERNALS)})",
    inference=f"{STATISTICS}|profiles",
    correction=any_of(REGISTRY.corrections),
    # nothing, or a correction after a dot
    corrected=f"(?:\\.(?:{any_of(REGISTRY.corrections)}))?",
    table="|".join(REGISTRY.tables),
    figure="|".join(REGISTRY.figures),
    page=any_of(PAGES),


def room_hash(*rooms):
    """A hash of the package's rooms that a cheap job calls, to be its param: editing a metric re-makes its tables,
    and editing the trainer re-trains nothing."""
    import debatch

    files = (path for room in rooms for path in sorted(Path(debatch.__file__).parent.joinpath(room).rglob("*")))
    return sha256_of_files(path for path in files if path.suffix in {".py", ".j2", ".js", ".css", ".html"})[:16]


def results_and_screen(wildcards):
    """The folder of all results and the screen's name, which `Files` is made of."""
    return [REGISTRY.results, REGISTRY.name]


def screen_title():
    """The screen's name in figures; a simulated one says so, and a screen's own label."""
    title = REGISTRY.screen.title or REGISTRY.name
    if REGISTRY.screen.label:
        title = f"{title}, {REGISTRY.screen.label}"
    says_so = "simulated" in title.lower() or not REGISTRY.screen.simulated
    return title if says_so else f"{title} (simulated)"


def figure_style():
    """How figures are written, and whether they must say that they are of a simulated screen."""
    return {"style": SCREEN["figures"], "simulated": REGISTRY.screen.simulated}


def shown(wildcards):
    """What tables and figures show of the screen beside numbers: its names, its label, whether it is compared."""
    target = wildcards.get("table") or wildcards.get("figure")
    titles = [row.title for row in REGISTRY.variants.get(target, [])]
    return [SCREEN["title"], SCREEN["label"], SCREEN["published"], titles]


def screen_params(*keys):
    """The sections of the screen's configuration that a job depends on, and no others."""
    return {key: SCREEN[key] for key in keys}


def part_params(*keys):
    """The sections of an experiment's part that a job depends on: a change of one part leaves the others alone."""
    return lambda wildcards: {key: PARTS[REGISTRY.screen.part_of(wildcards.experiment)][key] for key in keys}


def split_params(wildcards):
    """What a split is drawn by: another value draws it again, and trains everything again."""
    return REGISTRY.screen.splits.looked_at(Split.named(wildcards.split))


def run_recipe(wildcards):
    """The resolved recipe of a method, as it stands in a run's record."""
    return REGISTRY.recipes[wildcards.method].model_dump()


def many_statistics(wildcards):
    """The test-time statistics under which a trained method is looked at for tables of adaptation, and on which classes."""
    return REGISTRY.statistics(RUN_FOLDERS[wildcards.run].weights)._asdict()


def run_normalization(wildcards):
    return FILES.normalization(REGISTRY.recipes[wildcards.method].normalization)


@cache
def called_with():
    """The arguments of this call of Snakemake, which reads its Snakefile before it says what it was called with; None in a
    workflow that has this one as a module."""
    own = Path(sys.argv[0])
    called = own.name == "snakemake" or (own.name == "__main__.py" and own.parent.name == "snakemake")
    if not called:
        return None
    with redirect_stderr(StringIO()):  # it would say its profile once more
        return parse_args(sys.argv[1:])[1]


def named_targets():
    """What this call of Snakemake was called for."""
    return sorted(called_with().targets) if called_with() else ["a workflow that has this one as a module"]


def tell_jobs(asked):
    """A job on a cluster is of a call of its own, which must make the same rules although files are made meanwhile."""
    settings = workflow.config_settings
    settings.config_args = [*(settings.config_args or []), f"asked={json.dumps(asked)}"]


TARGETS = ASKED["targets"] if ASKED else named_targets()
if not ASKED:
    try:
        refuse_lacking(REGISTRY, FILES, TARGETS)
    except UserError as error:
        raise WorkflowError(str(error)) from None
PRODUCTS = asked_products(REGISTRY, FILES, TARGETS)
# of runs of which an earlier call made a part
THERE = {run: [*map(int, at)] for run, at in ASKED["made"].items()} if ASKED else partly_made(FILES, PRODUCTS)
if not ASKED:
    tell_jobs({"targets": TARGETS, "made": THERE})
RUN_FOLDERS = {folder.path: folder for folder in PRODUCTS}


def forms(rule):
    """Each set of things that one job of a rule makes, after a name for it and before the runs of which it is made."""
    found = forms_of(rule, PRODUCTS, THERE)
    runs = ([folder.path for folder in folders] for folders in found.values())
    return list(zip(form_words(found), found, runs, strict=True))


def form_name(rule, words):
    """The name of one form of a rule. Threads and resources that a user sets for `embed_run` hold for all of its forms."""
    name, given = f"{rule}_{words}", workflow.resource_settings
    # (no "rule" with a colon behind it: `snakemake --lint` would take that for one)
    for settings in (given._parsed_overwrite_resources, given._parsed_overwrite_threads):
        if given_for := settings.get(rule):
            settings.setdefault(name, given_for)
    return name


def form_group(rule):
    """The group that a user puts `score_run` in (`--groups`, or `groups:` of a profile), which holds for all of its forms."""
    # a job on a cluster runs what it is told, grouped or not
    return (called_with().groups or {}).get(rule) if called_with() and not ASKED else None


def screen_corrections():
    """The corrections that the screen's tables may show, by name."""
    chosen = REGISTRY.screen.corrections
    known = REGISTRY.corrections.items()
    return {name: correction.model_dump() for name, correction in known if chosen is None or name in chosen}


def files_of(products):
    """The files of some things of a run."""
    return [path for product in products for path in product_files(FILES, ANY_RUN, product)]


def recipe_of_run(wildcards):
    return REGISTRY.recipes[RUN_FOLDERS[wildcards.run].weights].model_dump()


def normalization_of_run(wildcards):
    return FILES.normalization(REGISTRY.recipes[RUN_FOLDERS[wildcards.run].weights].normalization)


def with_paths(products):
    """What a job makes, each with its paths. A function of `output`: Snakemake must not take it for a changed parameter that
    another call asks for less or more of a run."""

    def paths(wildcards, output):
        folder = FILES.any_run(wildcards.run)
        return [([*product], product_files(FILES, folder, product)) for product in products]

    return paths


def of_a_split(path):
    """An input of runs that profiles, which are of no split, do without."""
    return lambda wildcards: [] if RUN_FOLDERS[wildcards.run].external else path.format(run=wildcards.run)


def split_of_run(wildcards):
    run = RUN_FOLDERS[wildcards.run]
    return [] if run.external else FILES.split(run.split)


def probed_embeddings(statistics):
    """Test images as a probe looks at them: of unseen batches, under statistics from other wells."""

    def path(wildcards):
        views = [product for product in probed(statistics, RUN_FOLDERS[wildcards.run].split) if product.kind == "view"]
        return FILES.embeddings(FILES.any_run(wildcards.run), views[0].statistics if views else statistics)

    return path


def probe_is_fitted_on(statistics):
    """The training images' embeddings, where batches were trained on."""

    def paths(wildcards):
        sources = probed(statistics, RUN_FOLDERS[wildcards.run].split)
        folder = FILES.any_run(wildcards.run)
        return [FILES.training_embeddings(folder, statistics) for source in sources if source.kind == "training"]

    return paths


def needed_files(target):
    """Everything that a table or figure is made from."""
    return [path for need in REGISTRY.needs(target) for path in result_files(FILES, need, REGISTRY.runs(target))]


def embedded_views():
    """Folder and view of the embeddings that `embed` and `h5ad` make: of the model that was named; else all that the
    screen's tables and figures look at."""
    if REGISTRY.model:
        return [(FILES.external(REGISTRY.model.name), REGISTRY.model.recipe.inference)]
    runs = [run for target in embedded_targets(REGISTRY) for run in REGISTRY.runs(target)]
    return list(dict.fromkeys((FILES.folder(run), run.view) for run in runs))


def target_files(target):
    """What a target of the screen comes to, as files."""
    if target == "ingest":
        return [all_stores, FILES.index()]
    if target == "embed":
        return [FILES.embeddings(folder, view) for folder, view in embedded_views()]
    if target == "h5ad":
        return [FILES.h5ad(folder, view) for folder, view in embedded_views()]
    if target == "report":
        return [FILES.report()]
    if target == "explorer":
        return [FILES.explorer()]
    if target in PAGES:
        return [*page_parts(target, "tables"), *page_parts(target, "figures"), FILES.page(target)]
    if target == "tables":
        return [target_files(table) for table in REGISTRY.targets("tables")]
    if target == "figures":
        return [target_files(figure) for figure in REGISTRY.targets("figures")]
    if target == "ome_zarr":
        return [FILES.ome_zarr(chosen) for chosen in REGISTRY.ome_zarr]
    if target in SCREEN_FIGURES:
        return [path for name in SCREEN_FIGURES[target] for path in figure_files(name)]
    if target in REGISTRY.tables:
        return [FILES.table(target, suffix) for suffix in ("csv", "md", "json")]
    return figure_files(target)


def figure_files(name):
    """A figure in each format that the screen asks for, and its numbers."""
    return [FILES.figure(name, suffix) for suffix in REGISTRY.screen.figures.suffixes()]


def page_parts(page, kind):
    """The tables or figures of a paper's page."""
    return [path for target in PAGES[page].targets(kind) for path in target_files(target)]


def raw_files(wildcards):
    """What a simulated experiment's raw images are known by; a real one's are no input. Refuses what the screen does not
    have: the wildcard itself takes any name."""
    if wildcards.experiment not in EXPERIMENTS:
        count = len(EXPERIMENTS)
        raise WorkflowError(f"screen {REGISTRY.name!r}: {wildcards.experiment!r} is none of its {count} experiments")
    return [FILES.raw_manifest(wildcards.experiment)] if REGISTRY.screen.simulated else []


def all_stores(wildcards):
    """Every store's marker. A function, so that a cluster's job that needs none of them does not list them either."""
    return [FILES.store_marker(experiment) for experiment in REGISTRY.experiments]


def all_ingested(wildcards):
    """Every experiment's index rows."""
    return [FILES.ingested(experiment) for experiment in REGISTRY.experiments]


def metadata_input():
    """A simulated screen's catalogue is made here. A real one is no input: a dry run must work before the data is there."""
    return [FILES.raw_metadata()] if REGISTRY.screen.simulated else []


def profile_files(name):
    """The files of profiles made elsewhere."""
    return tuple(REGISTRY.externals[name].files())


# each file is read once, however many jobs ask
digest_of = cache(sha256_of_files)


def metadata_sha256(wildcards):
    """What a real screen's metadata holds, so that editing it re-makes what was made from it. Where it is not there, what
    the index was made from: results that were copied without their raw data are not out of date."""
    paths = REGISTRY.source_files()
    if not paths:
        return None
    if all(path.is_file() for path in paths):
        return digest_of(paths)
    if Path(FILES.index()).exists():
        from debatch.tabular import read_about

        return read_about(FILES.index()).get("metadata_sha256")
    return None


def with_attempt(mem_mb, times_input=0):
    """Memory in MB: some, and the input files' size so many times. It grows by half of itself with each attempt, to twice of
    it at most: a job that left before its time limit, to go on in the next attempt, lacked no memory."""

    def memory(wildcards, input, attempt):
        # files that are not made yet count nothing: Snakemake asks again before it starts the job
        read = sum(Path(path).stat().st_size for path in input if Path(path).exists()) if times_input else 0
        return round((mem_mb + times_input * read / 1e6) * min(1 + (attempt - 1) / 2, 2))

    return memory


def shipped(path):
    """A file that comes with the workflow: relative where the working directory is the workflow's own."""
    return path if Path(path).exists() else str(BASE / path)
