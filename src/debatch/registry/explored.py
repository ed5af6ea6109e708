"""What the explorer shows of a screen, and the files that it is made from."""

from debatch.config.read import nearest
from debatch.config.splits import Split
from debatch.errors import ConfigError
from debatch.files import Files
from debatch.registry.products import RunFolder
from debatch.registry.registry import Registry
from debatch.registry.run import ALL_IMAGES, Run


def explored_runs(registry: Registry) -> list[Run]:
    """What the explorer shows: each look of the screen's own tables and figures at images that they score or embed.

    Of a method the first seed, on the split that a target names first; neither nulls nor variations.

    Raises:
        ConfigError: the screen chooses a method that is not among them.
    """
    if registry.model:
        model = registry.model
        return [Run(model.name, ALL_IMAGES, 0, model.recipe.inference, model.name, external=True)]
    found: dict[tuple[RunFolder, str], Run] = {}
    specs = registry.targets_of.all()
    for target in (name for name in registry.shown if name in specs):
        if not {"embeddings", "scores", "metrics", "readouts"} & set(registry.needs(target)):
            continue
        nulls = registry.kind(target).nulls(specs[target])
        for run in registry.runs(target):
            first = run.seed == 0 and run.split == registry.splits(target)[0]
            few = run.split != ALL_IMAGES and Split.named(run.split).form == "few"
            if first and not few and run.method not in nulls and not registry.is_derived(run.method):
                found.setdefault((RunFolder.of(run), run.view), run)
    methods = list(dict.fromkeys(run.method for run in found.values()))
    if (chosen := registry.screen.explorer.methods) is not None:
        for method in chosen:
            if method not in methods:
                raise ConfigError(
                    f"screen {registry.name!r}: `explorer.methods`: none of its tables and figures shows a method "
                    f"{method!r}{nearest(method, methods)}; they show {', '.join(methods)}"
                )
        methods = [method for method in methods if method in chosen]
        found = {place: run for place, run in found.items() if run.method in methods}
    return sorted(found.values(), key=lambda run: methods.index(run.method))


def explored_views(registry: Registry, run: str) -> list[str]:
    """The looks at the embeddings of one run, given by its folder's path, that the explorer shows."""
    return [shown.view for shown in explored_runs(registry) if RunFolder.of(shown).path == run]


def explored_files(registry: Registry, files: Files) -> dict[str, list[str]]:
    """What the page is made from: projections of embeddings, predictions, and where the small pictures are."""
    runs = explored_runs(registry)
    predictions = (predictions_of(run, registry, files) for run in runs)
    pictures = registry.experiments if registry.screen.explorer.thumbnails else []
    return {
        "projections": list(dict.fromkeys(files.projections(files.folder(run)) for run in runs)),
        "predictions": list(dict.fromkeys(path for path in predictions if path)),
        "thumbnails": [files.thumbnails(experiment) for experiment in pictures],
    }


def predictions_of(run: Run, registry: Registry, files: Files) -> str | None:
    """The predictions from a run's embeddings as they are, before a correction; None where nothing predicts."""
    if not run.external:
        if registry.recipes[run.weights].label != "perturbation":
            return None  # classes that no image's perturbation is
        return files.predictions(files.folder(run), run.inference)
    splits = [name for name in registry.screen.splits.names if Split.named(name).form != "separated_val"]
    return files.predictions(files.folder(run), splits[0]) if splits and run.method in registry.externals else None
