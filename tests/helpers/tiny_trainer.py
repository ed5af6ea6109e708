"""A trainer of a tiny network on made-up images, in seconds."""

import numpy as np
import pandas as pd
import torch

from debatch.config import Recipe
from debatch.embed import embed_images, statistics_groups
from debatch.learn.data import training_data
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import ImageSet
from debatch.runtime.ranks import ALONE
from helpers.images import MemoryReader, make_images, make_index, self_statistics

INDEX = make_index(experiments=4, wells=12)
IMAGES = make_images(INDEX)


def split_of(index):
    """Trained on all batches but one."""
    return pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] == "E03", "test", "train")})


SPLIT = split_of(INDEX)

# six groups an epoch in steps of three: of two processes one has two of them, the other one. Large groups and small
# steps, since rounding errors grow with each step
LARGER = make_index(experiments=4, wells=24)
SHARED = {
    "backbone": "small_resnet",
    "pixels": 32,
    "embedding_width": 16,
    "group": 12,
    "groups_per_step": 3,
    "epochs": 3,
    "warmup_epochs": 1.0,
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "learning_rate_images": 36,
    "statistics_images": 60,
    "precision": "float32",
}
DEALT_RECIPES = {
    "standard": Recipe(**SHARED),
    "adaptive": Recipe(**SHARED, batch_norm="adaptive"),
    "reversed": Recipe(**SHARED, batch_norm="adaptive", objective={"gradient_reversal": 0.2}),
    "cdcl": Recipe(
        **SHARED,
        gradient_clip=1.0,
        objective={
            "kind": "dino",
            "partner": "other_batch",
            "centres": "batch",
            "barlow": 0.75,
            "local_views": 0,
            "head_width": 32,
            "bottleneck": 16,
            "prototypes": 16,
            "head_norm": True,
            "teacher_momentum": [0.9, 0.99],
            # sharp ones would make rounding errors grow from step to step
            "teacher_temperature": [1.0, 1.0],
            "student_temperature": 1.0,
        },
    ),
}


def with_objective(recipe: Recipe, **keys) -> Recipe:
    """A recipe with other keys of its objective."""
    return recipe.model_copy(update={"objective": recipe.objective.model_copy(update=keys)})


def make_trainer(recipe, seed=0, images=IMAGES, index=INDEX, ranks=ALONE):
    data = training_data(index, split_of(index), recipe.shuffle_labels, seed)
    return Trainer(recipe, data, image_set(data.rows, index, images), seed=seed, name="test", ranks=ranks)


def make_dealt_trainer(recipe, ranks=ALONE):
    return make_trainer(recipe, images=make_images(LARGER), index=LARGER, ranks=ranks)


def image_set(rows, index, images):
    return ImageSet(rows, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))


def files(folder):
    return TrainingFiles(folder / "history.csv", folder / "checkpoint.pt")


def note_gradients(trainer):
    """A list that gets the gradient of every parameter at each step from now on."""
    noted = []
    step = trainer.optimizer.step

    def noting():
        weights = {name: weight for name, weight in trainer.objective.named_parameters() if weight.grad is not None}
        noted.append({name: weight.grad.clone() for name, weight in weights.items()})
        return step()

    trainer.optimizer.step = noting
    return noted


def log_probabilities(trainer):
    """Of the labels of the test images of `LARGER`, (M,), as the workflow's embedding finds them."""
    groups = statistics_groups(trainer.recipe.inference, LARGER, split_of(LARGER), trainer.recipe)
    images = image_set(LARGER, LARGER, make_images(LARGER))
    embedded = embed_images(trainer.network, images, groups, trainer.recipe, trainer.data.batch_names)
    return embedded.predictions["log_probability"].to_numpy()
