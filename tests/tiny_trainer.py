"""A trainer of a tiny network on made-up images, in seconds."""

import numpy as np
import pandas as pd
import torch
from conftest import MemoryReader, make_images, make_index, self_statistics

from debatch.learn.data import training_data
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import ImageSet

INDEX = make_index(experiments=4, wells=12)
IMAGES = make_images(INDEX)
SPLIT = pd.DataFrame({"image_id": INDEX["image_id"], "subset": np.where(INDEX["batch"] == "E03", "test", "train")})


def make_trainer(recipe, seed=0, images=IMAGES):
    data = training_data(INDEX, SPLIT, recipe.shuffle_labels, seed)
    image_set = ImageSet(data.rows, self_statistics(INDEX, images), MemoryReader(INDEX, images), torch.device("cpu"))
    return Trainer(recipe, data, image_set, channels=3, seed=seed, name="test")


def files(folder):
    return TrainingFiles(folder / "history.csv", folder / "checkpoint.pt")
