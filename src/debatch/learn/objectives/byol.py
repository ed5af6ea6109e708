"""BYOL: the student predicts its teacher's projection of another view, of the image or of its partner."""

import copy

import torch
from torch import Tensor, nn

from debatch.config.objectives import Byol as Settings
from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Progress, Step
from debatch.learn.objectives.self_supervised import SelfSupervised, barlow_loss, between, byol_loss, follow
from debatch.model.inputs import Group
from debatch.model.stems import ChannelSets
from debatch.runtime.ranks import Ranks


class Byol(SelfSupervised):
    """Two large views, each predicted from the other. What embeds is the student, as in the paper."""

    settings: Settings

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        settings, width = self.settings, self.network.width
        self.projector = _two_layers(width, settings, norm=True)
        self.predictor = _two_layers(settings.projection_width, settings, norm=False)
        followed = {"backbone": self.network.backbone, "neck": self.network.neck, "projector": self.projector}
        self.teacher = copy.deepcopy(nn.ModuleDict(followed)).requires_grad_(False)

    def views(self, group: Group, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A view of each image, and one of its partner."""
        large = (self.view_size, self.settings.scale)
        (own,), (partner,) = self.cut(group, [large], [large], generator)
        return own, partner

    def forward(self, views: tuple[Tensor, Tensor], group: Group, progress: Progress) -> Step:
        """The sum over both directions."""
        embedded = [self.embed(view, group.channels) for view in views]
        predicted = [self.predictor(self.projector(embedding.float())) for embedding in embedded]
        with torch.no_grad():
            passed = [self.through(self.teacher, view, group.channels) for view in views]
            targets = [self.teacher["projector"](embedding.float()) for embedding in passed]
        pairs = [(predicted[0], targets[1]), (predicted[1], targets[0])]
        loss = torch.zeros((), device=predicted[0].device)
        if self.settings.barlow < 1:
            loss = loss + (1 - self.settings.barlow) * torch.stack([byol_loss(p, t) for p, t in pairs]).sum()
        if self.settings.barlow:
            loss = loss + self.settings.barlow * torch.stack([barlow_loss(p, t) for p, t in pairs]).mean()
        return self.step(loss, embedded[0].detach(), views[0], group)

    def after_step(self, progress: Progress, ranks: Ranks) -> None:
        """The teacher follows the student."""
        momentum = between(self.settings.teacher_momentum, progress.share)
        followed = {"backbone": self.network.backbone, "neck": self.network.neck, "projector": self.projector}
        for name, student in followed.items():
            follow(self.teacher[name], student, momentum)


def _two_layers(inputs: int, settings: Settings, norm: bool) -> nn.Sequential:
    """Linear, batch norm, ReLU, linear; the projector of the released code ends with batch norm too."""
    layers = [
        nn.Linear(inputs, settings.projector_width),
        nn.BatchNorm1d(settings.projector_width),
        nn.ReLU(inplace=True),
        nn.Linear(settings.projector_width, settings.projection_width),
    ]
    return nn.Sequential(*layers, *([nn.BatchNorm1d(settings.projection_width)] if norm else []))


OBJECTIVE = Byol
