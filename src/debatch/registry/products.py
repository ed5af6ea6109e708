"""What is made of a run for tables and figures: its products, and the rule that makes each.

One job makes all that one look at a run needs: loading weights, and importing what loads them, takes longer than most
of the work.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from debatch.config.splits import Split
from debatch.files import KINDS, UNCORRECTED, Kind, Product
from debatch.registry.registry import Registry
from debatch.registry.run import PROFILES, Run

# rule -> what it makes: of a run's weights; of its embeddings under one choice of test-time statistics
EMBEDDED = ("view", "training", "epochs", "adaptation")
BY_STATISTICS = ("score_run", "probe_run", "probe_training_side", "correct_run", "readout_run", "task_run")
MAKERS: dict[str, tuple[str, ...]] = {
    "embed_run": ("view", "training", "epochs"),
    "embed_adaptation": ("adaptation",),
    "score_run": ("metrics", "cosine", "scores"),
    "probe_run": ("probe",),
    "probe_training_side": ("training_side_probe",),
    "correct_run": ("corrected", "corrected_cosine", "corrected_scores"),
    "readout_run": ("readouts",),
    "task_run": ("tasks",),
}
OF_CORRECTED: dict[str, Kind] = {
    "embeddings": "corrected", "cosine": "corrected_cosine", "scores": "corrected_scores",
}  # fmt: skip
# the statistics of those embeddings that a probe of unseen batches looks at under a batch's own
HALF = "half"


class RunFolder(NamedTuple):
    """The folder of a trained run, or of profiles made elsewhere, below `runs`.

    Attributes:
        weights: the method that was trained, or the name of the profiles.
        split: that it was trained on; empty for profiles.
        seed: of the run.
        external: whether it is of profiles.
    """

    weights: str
    split: str
    seed: int
    external: bool = False

    @classmethod
    def of(cls, run: Run) -> "RunFolder":
        """Where a run's files lie."""
        return cls(run.weights, "", 0, external=True) if run.external else cls(run.weights, run.split, run.seed)

    @property
    def path(self) -> str:
        """Below `runs`."""
        return f"external/{self.weights}" if self.external else f"{self.weights}/{self.split}/seed{self.seed}"


def wanted(
    registry: Registry, targets: Iterable[str], needs: Iterable[str] | None = None
) -> dict[RunFolder, list[Product]]:
    """All that tables and figures are made from, by run, each in one order.

    Args:
        registry: of the screen.
        targets: names of tables and figures.
        needs: of each; None: its own.
    """
    found: dict[RunFolder, set[Product]] = {}
    for target in targets:
        for run in registry.runs(target):
            run_folder = RunFolder.of(run)
            for need in registry.needs(target) if needs is None else needs:
                for product in needed_products(run, need):
                    found.setdefault(run_folder, set()).update([*sources_of(product, run_folder), product])
    return {run_folder: in_order(products) for run_folder, products in found.items()}


def needed_products(run: Run, need: str) -> list[Product]:
    """What a table or figure reads of one of its runs; none where rules of profiles make it.

    Args:
        run: how it is looked at.
        need: as in `Registry.needs`.
    """
    own, correction = run.inference, run.correction
    match need:
        case "metrics" | "probe" | "training_side_probe" | "epochs" | "readouts" | "tasks" | "training":
            return [] if run.external else [Product(need, own)]
        case "adaptation":
            return [Product("adaptation")]
        case "embeddings" | "cosine" | "scores" if correction != UNCORRECTED:
            return [Product(OF_CORRECTED[need], own, correction)]
        case "cosine" | "scores":
            return [Product(need, own)]
        case "embeddings":
            return [] if run.external else [Product("view", own)]
    return []


def sources_of(product: Product, run_folder: RunFolder) -> list[Product]:
    """What a product is made from, of the same run; profiles are no product of ours."""
    own, kind = product.statistics, product.kind
    if kind in EMBEDDED:
        return []
    sources = [] if run_folder.external else [Product("view", own)]
    if kind == "probe":
        sources += probed(own, run_folder.split)
    if kind in ("training_side_probe", "readouts", "tasks"):
        sources.append(Product("training", own))
    if kind in ("corrected_cosine", "corrected_scores"):
        sources.append(Product("corrected", own, product.correction))
    return sources


def probed(statistics: str, split: str) -> list[Product]:
    """What a probe looks at beside the test images' own embeddings.

    Batches that were trained on: the training images. Unseen ones: under a batch's own statistics, images whose
    statistics come from other wells.
    """
    if not Split.named(split).has_unseen_batches:
        return [Product("training", statistics)]
    return [] if statistics == "train" else [Product("view", HALF)]


def in_order(products: Iterable[Product]) -> list[Product]:
    """By kind; within one the network's own statistics come first."""
    return sorted(products, key=lambda p: (KINDS.index(p.kind), p.statistics not in ("train", PROFILES), p))


def forms_of(
    rule: str, products: Mapping[RunFolder, Sequence[Product]], there: Mapping[str, Collection[int]]
) -> dict[tuple[Product, ...], list[RunFolder]]:
    """What single jobs of a rule make, and of which runs just that.

    Of `embed_run` all of a run; of the others what is made of its embeddings under one choice of test-time statistics,
    since what a job reads must not depend on what else is asked for. What an earlier call made is apart from what is
    new: a job makes all of its files again where one is missing.

    Args:
        rule: of `MAKERS`.
        products: what is to be made of each run.
        there: what is there of some runs, as `partly_made` says.
    """
    found: dict[tuple[Product, ...], list[RunFolder]] = {}
    for run_folder, asked in products.items():
        apart: dict[tuple[str, bool], list[Product]] = {}
        for at, product in enumerate(asked):
            if product.kind in MAKERS[rule]:
                statistics = product.statistics if rule in BY_STATISTICS else ""
                apart.setdefault((statistics, at in there.get(run_folder.path, ())), []).append(product)
        for made in apart.values():
            found.setdefault(tuple(made), []).append(run_folder)
    return found


def rule_of_form(name: str) -> str:
    """The rule that a name is a form of; of any other rule its own name."""
    return next((rule for rule in MAKERS if name.startswith(f"{rule}_")), name)


def form_words(forms: Iterable[Iterable[Product]]) -> list[str]:
    """A name for what each form makes: test-time statistics, then what else it is; a number where two are alike."""
    names: list[str] = []
    # what its rule's name says already
    told = ("view", "corrected", "probe", "training_side_probe", "readouts", "tasks")
    seen: Counter[str] = Counter()
    for form in forms:
        products = list(form)
        statistics = [product.statistics for product in products]
        kinds = [product.kind for product in products if product.kind not in told]
        words = "_".join(dict.fromkeys([*filter(None, statistics), *kinds]))
        seen[words] += 1
        names.append(words if seen[words] == 1 else f"{words}_{seen[words]}")
    return names
