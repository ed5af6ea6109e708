"""ProxyNCA++ (Teh et al. 2020), as CHAMMI trains by it: images are drawn to a learned proxy of their class."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from debatch.config.objectives import Proxy as Settings
from debatch.config.recipe import Arithmetic, Recipe
from debatch.errors import DataError
from debatch.learn.augment import augmented, unmixed
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Progress, Step
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import Labelled
from debatch.learn.objectives.miro import FrozenTwin, features_of
from debatch.learn.objectives.supcon import contrastive_loss
from debatch.learn.optimizer import LEARNING
from debatch.model.inputs import Group
from debatch.model.proxies import proxy_loss
from debatch.model.stems import ChannelSets


class Proxies(Labelled):
    """One view of each image, two where the views of an image are also drawn together (SimCLR).

    Both heads read embeddings and pass no gradient on: the class head says what a linear classifier makes of them.
    """

    settings: Settings
    numbers: Tensor

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        classes, numbers = np.unique(data.labels, return_inverse=True)
        self.register_buffer("numbers", torch.from_numpy(numbers.astype(np.int64)), persistent=False)
        width = self.network.width
        # of about length 1, which is what counts of them
        proxies = torch.randn(len(classes), width) / math.sqrt(width)
        self.proxies = nn.Parameter(proxies) if self.settings.contrast < 1 else None
        self.twin = FrozenTwin(recipe, self.network.backbone, channels, precision) if self.settings.miro else None

    @staticmethod
    def require_usable(recipe: Recipe, data: TrainingData, name: str) -> None:
        """Without a second class nothing is to be told apart."""
        assert isinstance(recipe.objective, Settings)
        if recipe.objective.contrast < 1 and len(np.unique(data.labels)) < 2:
            raise DataError(f"{name}: its training images are all of one class; proxies need two classes or more")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """As for all that learns; proxies and MIRO's variances at rates of their own, without weight decay."""
        proxies = [] if self.proxies is None else [self.proxies]
        variances = [] if self.twin is None else list(self.twin.variances)
        groups, own = super().parameter_groups(), {id(weight) for weight in (*proxies, *variances)}
        for group in groups:
            group["params"] = [weight for weight in group["params"] if id(weight) not in own]
        apart = [
            {**LEARNING, "params": some, "weight_decay": 0.0, "initial_lr": rate}
            for some, rate in ((proxies, self.settings.proxy_rate), (variances, self.settings.miro_rate))
            if some
        ]
        # the heads that only measure stay last
        return [*groups[:-1], *apart, groups[-1]]

    def views(self, group: Group, generator: torch.Generator) -> list[Tensor]:
        """Of each image, one or two."""
        return [augmented(group, self.recipe, generator) for _ in range(2 if self.settings.contrast else 1)]

    def forward(self, views: list[Tensor], group: Group, progress: Progress) -> Step:
        """The loss of the proxies and of pairs of views by their shares, and both heads' beside it."""
        settings = self.settings
        # a pass for each view: a batch-norm group is as large as under any other method
        labels, batches = self.targets(group)
        loss = torch.zeros((), device=labels.device)
        embedded = []
        for view in views:
            if self.twin is None:
                embedded.append(self.embed(view, group.channels).float())
                continue
            with features_of(self.network.backbone, self.recipe.backbone) as features:
                embedded.append(self.embed(view, group.channels).float())
            distance = self.twin.distance(features, view, group.channels)
            loss = loss + settings.miro / len(views) * distance
        if self.proxies is not None:
            own = self.numbers[torch.from_numpy(group.positions).to(labels.device)].repeat(len(views))
            loss = loss + (1 - settings.contrast) * proxy_loss(
                torch.cat(embedded), self.proxies, own, settings.temperature
            )
        if settings.contrast:
            # the second view of image i stands at n + i
            pairs = torch.arange(len(labels), device=labels.device).repeat(2)
            loss = loss + settings.contrast * contrastive_loss(
                torch.cat(embedded), pairs, settings.contrast_temperature
            )
        heads = classification_loss(self.network.heads(embedded[0].detach()), unmixed(views[0]), labels, batches, 1.0)
        sums = (loss.detach().double() * len(labels), heads.class_correct, heads.batch_correct)
        return Step(loss + heads.total, dict(zip(self.columns, sums, strict=True)))


OBJECTIVE = Proxies
