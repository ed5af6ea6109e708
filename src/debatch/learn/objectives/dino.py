"""DINO, and what CDCL makes of it: partners of other batches, a centre a batch, Barlow's loss beside it."""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.base import height_and_width
from debatch.config.objectives import Dino as Settings
from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Progress, Step
from debatch.learn.objectives.self_supervised import (
    Centres,
    SelfSupervised,
    barlow_loss,
    between,
    dino_loss,
    entropy_share,
    follow,
    ramp,
    view_pairs,
)
from debatch.model.inputs import Group
from debatch.model.stems import ChannelSets
from debatch.runtime.ranks import Ranks


class Views(NamedTuple):
    """What the networks are shown of a group.

    Attributes:
        images: each (n, C, H, W): two large views, then the small ones.
        domains: (n,) of the images that each large view is of, by its centre.
    """

    images: list[Tensor]
    domains: list[Tensor]


class Head(nn.Module):
    """Two hidden layers, a bottleneck of length 1, and its cosines to K prototypes (Caron et al. 2021, appendix C)."""

    def __init__(self, width: int, settings: Settings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (width, settings.head_width):
            layers.append(nn.Linear(inputs, settings.head_width, bias=not settings.head_norm))
            layers += [nn.BatchNorm1d(settings.head_width)] if settings.head_norm else []
            layers.append(nn.GELU())
        self.layers = nn.Sequential(*layers, nn.Linear(settings.head_width, settings.bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # of length 1 in use: what weight normalisation with a frozen length comes to
        self.prototypes = nn.Parameter(torch.randn(settings.prototypes, settings.bottleneck) / settings.bottleneck**0.5)

    def forward(self, embeddings: Tensor, frozen: bool = False) -> Tensor:
        """Embeddings (N, width) to (N, K); frozen: the prototypes get no gradient."""
        prototypes = self.prototypes.detach() if frozen else self.prototypes
        unit = functional.normalize(self.layers(embeddings.float()), dim=1)
        return functional.linear(unit, functional.normalize(prototypes, dim=1))


class Dino(SelfSupervised):
    """The student's views of an image under the teacher's of it, or of its partner. What embeds is the teacher."""

    columns = (*SelfSupervised.columns, "teacher_entropy")
    settings: Settings
    domains: Tensor

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        settings = self.settings
        # the teacher is the run's network; its heads alone learn, from what it embeds
        self.student = copy.deepcopy(nn.ModuleDict({"backbone": self.network.backbone, "neck": self.network.neck}))
        self.student_head = Head(self.network.width, settings)
        self.teacher_head = copy.deepcopy(self.student_head)
        for part in (self.network.backbone, self.network.neck, self.teacher_head):
            part.requires_grad_(False)
        domains = _domains(settings.centres, data)
        shares = np.bincount(domains) / len(domains)
        self.centres = Centres(settings.prototypes, shares.tolist(), settings.centre_momentum)
        self.register_buffer("domains", torch.from_numpy(domains), persistent=False)
        height, width = self.view_size
        given = settings.local_pixels
        self.local_size = (height // 2, width // 2) if given is None else height_and_width(given)
        if settings.local_views:
            self.require_takes(self.local_size, "local_pixels", channels)

    def views(self, group: Group, generator: torch.Generator) -> Views:
        """Two large views and the small ones."""
        settings, at = self.settings, self.halves(group)
        large, small = (self.view_size, settings.scale), (self.local_size, settings.local_scale)
        first = math.ceil(settings.local_views / 2)
        second = settings.local_views - first
        own, partner = self.cut(group, [large, *[small] * first], [large, *[small] * second], generator)
        return Views([own[0], partner[0], *own[1:], *partner[1:]], [self.domains[half] for half in at])

    def forward(self, views: Views, group: Group, progress: Progress) -> Step:
        """The loss over all pairs of a teacher's and a student's view that are not the same view."""
        settings, epochs = self.settings, progress.share * self.recipe.epochs
        frozen = epochs < settings.frozen_epochs
        with torch.no_grad():
            embedded = [self.embed(view, group.channels) for view in views.images[:2]]
            outputs = [self.teacher_head(embedding) for embedding in embedded]
        passed = [self.through(self.student, view, group.channels) for view in views.images]
        students = [self.student_head(embedding, frozen) for embedding in passed]
        warm = settings.teacher_temperature_epochs
        temperature = ramp(settings.teacher_temperature, epochs / warm if warm else 1.0)
        centred = [output - self.centres.of(domains) for output, domains in zip(outputs, views.domains, strict=True)]
        for output, domains in zip(outputs, views.domains, strict=True):
            self.centres.note(output, domains)
        pairs = list(view_pairs(len(centred), len(students)))
        loss = torch.zeros((), device=students[0].device)
        if settings.barlow < 1:
            terms = [dino_loss(centred[t], students[s], temperature, settings.student_temperature) for t, s in pairs]
            # beside Barlow's each is of the size of 1; alone it is the paper's
            scale = (1 - settings.barlow) / math.log(settings.prototypes) if settings.barlow else 1.0
            loss = loss + scale * torch.stack(terms).mean()
        if settings.barlow:
            loss = loss + settings.barlow * torch.stack([barlow_loss(centred[t], students[s]) for t, s in pairs]).mean()
        sums = {"teacher_entropy": entropy_share(centred[0], temperature).double().sum()}
        return self.step(loss, embedded[0], views.images[0], group, sums)

    def after_step(self, progress: Progress, ranks: Ranks) -> None:
        """The teacher follows the student, and the centres the teacher."""
        momentum = between(self.settings.teacher_momentum, progress.share)
        follow(self.network.backbone, self.student["backbone"], momentum)
        follow(self.network.neck, self.student["neck"], momentum)
        follow(self.teacher_head, self.student_head, momentum)
        self.centres.move(ranks.sum_)


def _domains(centres: str, data: TrainingData) -> np.ndarray:
    """(N,) the number of the centre that each training image is of."""
    if centres == "one":
        return np.zeros(len(data.rows), np.int64)
    if centres == "batch":
        return data.batches
    return data.rows.groupby(["experiment", "plate"], sort=True).ngroup().to_numpy(np.int64)


OBJECTIVE = Dino
