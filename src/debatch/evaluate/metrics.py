"""The registry of metrics: what tables and figures say of each, and how those of predictions are computed.

A metric of predictions is one function (as in `accuracy.py`) and one entry of `METRICS`; `metric:` of a table or figure
names it. The others are computed where the functions of this room are called together (`scores.py`, `embeddings.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from debatch.evaluate import accuracy

if TYPE_CHECKING:
    import pandas as pd

Better = Literal["higher", "lower", "chance"]
_ARROWS: dict[Better, str] = {"higher": " ↑", "lower": " ↓", "chance": " → chance"}


@dataclass(frozen=True)
class Metric:
    """What tables and figures say of a metric.

    Attributes:
        title: in headings.
        words: within a sentence; empty: the title serves.
        unit: `%` of a share, `sd`, or nothing.
        decimals: that are shown.
        better: which way is better; `chance`: the nearer to a random one.
        is_share: whether it lies in [0, 1] on its own scale.
        score: scored predictions of some images -> a share of them, and of how many; None: not of predictions.
    """

    title: str
    words: str = ""
    unit: str = "%"
    decimals: int = 1
    better: Better = "higher"
    is_share: bool = True
    score: Callable[["pd.DataFrame"], tuple[float, int]] | None = None

    @property
    def factor(self) -> float:
        """From a metric's own scale to its unit."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """The title, and which way is better."""
        return self.title + _ARROWS[self.better]


METRICS: dict[str, Metric] = {
    # of predictions
    "accuracy": Metric("Accuracy", "accuracy per image", score=accuracy.per_image),
    "accuracy_top5": Metric(
        "Top-5 accuracy", "share of images whose label is among the five most probable classes", score=accuracy.among_5
    ),
    "accuracy_well": Metric("Accuracy per well", "accuracy per well", score=accuracy.per_well),
    "accuracy_macro": Metric("Accuracy per class", "mean over classes of accuracy per image", score=accuracy.per_class),
    # of the batch that the head beside the network predicts
    "batch_accuracy": Metric("Batch accuracy", better="lower"),
    # of probes that are fitted on embeddings
    "probe_lda": Metric("LDA probe", better="lower"),
    "probe_knn": Metric("k-NN", better="lower"),
    "probe_mlp": Metric("MLP probe", better="lower"),
    "probe_lda_controls": Metric("LDA probe, controls alone", better="lower"),
    "probe_knn_controls": Metric("k-NN, controls alone", better="lower"),
    "probe_mlp_controls": Metric("MLP, controls alone", better="lower"),
    "probe_guess": Metric("Most frequent batch", better="lower"),
    "probe_guess_controls": Metric("Most frequent batch, controls alone", better="lower"),
    # of embeddings, before and after corrections
    "kbet": Metric("k-BET acceptance"),
    "kbet_controls": Metric("k-BET, negative controls"),
    "neighbor_same_batch": Metric("Nearest neighbour of same batch", better="chance"),
    "neighbor_same_batch_controls": Metric("The same, negative controls", better="chance"),
    "replicate_across_batches": Metric("Nearest well of another batch is a replicate"),
    "replicate_across_batches_other_positions": Metric("The same, of other positions"),
    "replicate_map": Metric("Replicate mAP", unit="", decimals=3),
    "replicate_map_other_positions": Metric("Replicate mAP, other positions", unit="", decimals=3),
    "grit": Metric("Grit", unit="sd", decimals=2, is_share=False),
    "grit_other_positions": Metric("Grit, other positions", unit="sd", decimals=2, is_share=False),
    "control_same_position": Metric("Nearest control on another plate is in the same position", better="chance"),
    "nsc": Metric("Mechanism, NSC"),
    "nscb": Metric("Mechanism, NSCB"),
    "positive_control_retention": Metric("Positive controls kept"),
    "separability": Metric("Treatments stand out, AUROC", unit="", decimals=3),
    "weak_separability": Metric("Weak ones stand out, AUROC", unit="", decimals=3),
    # of classifiers that are fitted on embeddings of training images, and of those embeddings
    "linear_accuracy": Metric("Linear accuracy", "accuracy per image of a linear classifier of embeddings"),
    "knn_accuracy": Metric("k-NN accuracy", "accuracy per image of the 10 nearest training images"),
    "znorm_knn_accuracy": Metric("Z-norm k-NN accuracy", "the same after Z-norm by a batch's controls"),
    "znorm_all_knn_accuracy": Metric("Z-norm k-NN accuracy, by all of a batch", "the same by all of a batch"),
    "kbet_train": Metric("k-BET, training images"),
    "kbet_test": Metric("k-BET, test images"),
    "kbet_test_znorm": Metric("k-BET, test images, Z-norm"),
    "neighbor_same_batch_train": Metric("Nearest neighbour of same batch, training images", better="chance"),
    "neighbor_same_batch_test": Metric("Nearest neighbour of same batch, test images", better="chance"),
    "neighbor_same_batch_test_znorm": Metric("Nearest neighbour of same batch, test images, Z-norm", better="chance"),
    "grit_train": Metric("Grit, training images", unit="sd", decimals=2, is_share=False),
    "grit_test": Metric("Grit, test images", unit="sd", decimals=2, is_share=False),
    "grit_test_znorm": Metric("Grit, test images, Z-norm", unit="sd", decimals=2, is_share=False),
    "nsc_znorm": Metric("Mechanism, NSC, Z-norm"),
    # of the nearest neighbours of a split's tasks
    "task_f1": Metric("Macro-F1", "mean over classes of the F1 of the nearest training image", unit="", decimals=3),
    "task_accuracy": Metric("1-NN accuracy", "accuracy per image of the nearest training image"),
    "class_f1": Metric("F1", "F1 of a class by the nearest training image", unit="", decimals=3),
    "ood_f1": Metric("Mean macro-F1", "mean macro-F1 of tasks out of distribution", unit="", decimals=3),
    # of the distributions of cosine similarities
    "ks_same_perturbation": Metric("KS, same perturbation", unit="", decimals=3, better="lower"),
    "ks_different_perturbation": Metric("KS, different perturbations", unit="", decimals=3, better="lower"),
    "ks_controls": Metric("KS, negative controls", unit="", decimals=3, better="lower"),
    "wasserstein_same_perturbation": Metric(
        "Wasserstein, same perturbation", unit="", decimals=3, better="lower", is_share=False
    ),
    "wasserstein_different_perturbation": Metric(
        "Wasserstein, different perturbations", unit="", decimals=3, better="lower", is_share=False
    ),
    "wasserstein_controls": Metric(
        "Wasserstein, negative controls", unit="", decimals=3, better="lower", is_share=False
    ),
}
# of `readout_scores`
OF_READOUTS = (
    "linear_accuracy", "knn_accuracy", "znorm_knn_accuracy", "znorm_all_knn_accuracy",
    "kbet_train", "kbet_test", "kbet_test_znorm",
    "neighbor_same_batch_train", "neighbor_same_batch_test", "neighbor_same_batch_test_znorm",
    "grit_train", "grit_test", "grit_test_znorm", "nsc", "nsc_znorm",
)  # fmt: skip
OF_PREDICTIONS = {name: metric for name, metric in METRICS.items() if metric.score is not None}
