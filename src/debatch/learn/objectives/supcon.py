"""Supervised contrastive learning (Khosla et al. 2020): images of one label are drawn together, all others apart."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.objectives import SupCon as Settings
from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.augment import augmented, unmixed
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Progress, Step
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import Labelled
from debatch.model.inputs import Group
from debatch.model.stems import ChannelSets


class SupervisedContrastive(Labelled):
    """Two views of each image, compared by projections of their embeddings.

    Both heads read embeddings and pass no gradient on: the class head says what a linear classifier makes of them.
    """

    settings: Settings

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        width = self.network.width
        self.projection = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.settings.projection_width)
        )

    def views(self, group: Group, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views of each image, each by flips and turns of its own."""
        return augmented(group, self.recipe, generator), augmented(group, self.recipe, generator)

    def forward(self, views: tuple[Tensor, Tensor], group: Group, progress: Progress) -> Step:
        """The contrastive loss, and both heads' beside it."""
        # a pass for each view: a batch-norm group is as large as under any other method
        first, second = (self.embed(view, group.channels).float() for view in views)
        labels, batches = self.targets(group)
        projections = self.projection(torch.cat([first, second]))
        contrast = contrastive_loss(projections, labels.repeat(2), self.settings.temperature)
        heads = classification_loss(self.network.heads(first.detach()), unmixed(views[0]), labels, batches, 1.0)
        sums = (contrast.detach().double() * len(labels), heads.class_correct, heads.batch_correct)
        return Step(contrast + heads.total, dict(zip(self.columns, sums, strict=True)))


def contrastive_loss(projections: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over images of - mean over others of its label of log softmax of cosine similarities to all others.

    Args:
        projections: (N, D), of any length; of each label two at least.
        labels: (N,).
        temperature: of the similarities.

    Source: Khosla et al. 2020, equation 2.
    """
    unit = functional.normalize(projections.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    positive = (labels[:, None] == labels) & ~itself
    log_share = similarity.log_softmax(dim=1).masked_fill(~positive, 0.0)
    return -(log_share.sum(dim=1) / positive.sum(dim=1)).mean()


OBJECTIVE = SupervisedContrastive
