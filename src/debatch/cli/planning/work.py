"""How many images pass through a job."""

from dataclasses import dataclass

from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.sizes import ScreenSize, SplitSize
from debatch.config import Recipe
from debatch.config.splits import Split
from debatch.files import Product
from debatch.registry import Registry
from debatch.registry.products import BY_STATISTICS, HALF

EMBEDDING_RULES = ("embed_run", "embed_adaptation", "embed_screen")


@dataclass(frozen=True)
class Work:
    """What a screen's jobs have to do."""

    registry: Registry
    size: ScreenSize

    def recipe(self, job: Job) -> Recipe | None:
        """Of the network that a job trains or embeds with; None where it has none."""
        if job.rule == "embed_screen":
            return self.registry.model.recipe if self.registry.model else None
        if job.rule == "train" or job.rule in EMBEDDING_RULES:
            return self.registry.recipes.get(job.wildcards.get("method", ""))
        return None

    def images(self, job: Job) -> int | None:
        """That pass through a job, each as often as it does; fields of view where it ingests.

        None: not known, or the rule looks at none.
        """
        recipe = self.recipe(job)
        if job.rule == "ingest_experiment":
            stored = self.size.by_experiment.get(job.wildcards["experiment"])
            return None if stored is None else round(stored / self.registry.screen.image.tiles**2)
        if job.rule == "embed_screen" and recipe:
            images = self.size.images
            return None if images is None else images * (1 if recipe.inference == "train" else 2)
        split = job.wildcards.get("split")
        size = self.size.split(split) if split else None
        if split is None or size is None:
            return None
        if job.rule in BY_STATISTICS:
            return size.scored + (size.train if job.rule in ("probe_training_side", "readout_run", "task_run") else 0)
        if recipe is None:
            return None
        return size.train * recipe.epochs if job.rule == "train" else self._embedded(job, recipe, size, split)

    def why_unknown(self, job: Job) -> str:
        """Why the images that pass through a job are not known; empty where the rule looks at none."""
        if job.rule == "ingest_experiment":
            return self.size.why_no_images or f"{self.size.basis} lacks the experiment"
        if job.rule == "embed_screen":
            return self.size.why_no_images
        split = job.wildcards.get("split")
        return self.size.why_no_split(split) if split else ""

    def _embedded(self, job: Job, recipe: Recipe, size: SplitSize, split: str) -> int:
        products = list(job.products)
        if job.rule == "embed_adaptation":
            statistics = self.registry.statistics(job.wildcards["method"]).names
            products = [Product("adaptation", name) for name in statistics]
        return sum(forward_passes(product, recipe, size, split) for product in products)


def forward_passes(product: Product, recipe: Recipe, size: SplitSize, split: str) -> int:
    """Images that pass through the network, those that statistics are taken from included; at most so many.

    Args:
        product: what is made, under which test-time statistics.
        recipe: of the run.
        size: of its split.
        split: its name: where batches stand on both sides, a batch's training images give the statistics.
    """
    own, statistics = size.train if product.kind == "training" else size.scored, product.statistics
    if statistics == "train":
        reference = min(recipe.statistics_images, size.train)
    elif statistics == HALF:
        return size.scored  # a half gives statistics to the other, and each image is one or the other
    elif not Split.named(split).has_unseen_batches and statistics != "mini_batch":
        reference = size.train
    else:
        reference = own
    return weight_sets(recipe, product.kind == "epochs") * (own + reference)


def weight_sets(recipe: Recipe, on_the_way: bool) -> int:
    """Sets of weights that a run is embedded with: the last, and those that were kept on the way."""
    every = recipe.snapshot_every
    return 1 + ((recipe.epochs - 1) // every if every and on_the_way else 0)
