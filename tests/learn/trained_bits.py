"""Trains every kind of recipe on made-up images and prints a digest of each run's weights and test predictions.

`test_bits.py` starts it as a process of its own, with the instructions that arithmetic may take.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import torch
from helpers.tiny_trainer import SHARED, files, log_probabilities, make_dealt_trainer

from debatch.config import Recipe

RECIPES = {
    "baseline": {},
    "gradient_reversal": {"objective": {"gradient_reversal": 0.2}},
    "adabn": {"batch_norm": "adaptive"},
    "adabn_gradient_reversal": {
        "batch_norm": "adaptive",
        "objective": {"gradient_reversal": 0.2, "reversal_schedule": "constant"},
    },
    "adabn_test_only": {"test_statistics": "batch"},
    "shuffled_labels": {"shuffle_labels": True},
    "unmixed": {"objective": {"mixing": "none"}},
    "mixup": {"objective": {"mixing": "mixup"}},
    "adamw": {
        "optimizer": "adamw",
        "weight_decay": 0.02,
        "objective": {"mixing": "none"},
        "augmentation": "none",
    },
    "heads": {"objective": {"batch_head_rate": 3.0, "batch_loss_weight": 0.5}},
    "densenet": {"backbone": "small_densenet", "checkpointing": True},
}


def digest_of(changes: dict) -> str:
    """Of a short run: its weights' values whatever they are called, and what it says of test images."""
    torch.set_num_threads(1)
    trainer = make_dealt_trainer(Recipe(**{**SHARED, "epochs": 2, **changes}))
    with tempfile.TemporaryDirectory() as folder:
        trainer.fit(files(Path(folder)))
    tensors = [tensor for tensor in trainer.network.state_dict().values() if tensor.ndim]
    values = sorted(hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest() for tensor in tensors)
    said = hashlib.sha256(log_probabilities(trainer).tobytes()).hexdigest()
    return hashlib.sha256(json.dumps([values, said]).encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps({name: digest_of(changes) for name, changes in RECIPES.items()}))
