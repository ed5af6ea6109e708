"""When two trainings are one run: what it is made from, and the code that made it."""

import ast
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import nn

import debatch
from debatch.config.read import expand
from debatch.config.recipe import Recipe
from debatch.digests import sha256_of_file, sha256_of_json
from debatch.learn.data import TrainingData
from debatch.model.inputs import ImageSet

# what decides weights, given what `run_identity` takes: of the package beside the run's own objective, and of others
CODE = (
    "config/recipe.py", "learn/augment.py", "learn/averaging.py", "learn/crops.py", "learn/groups.py",
    "learn/optimizer.py", "learn/splines.py", "learn/train.py", "model/backbones.py", "model/inputs.py",
    "model/network.py", "model/population.py", "model/precision.py", "model/pretrained.py", "model/proxies.py",
    "model/standardize.py", "runtime/ranks.py", "screen/order.py", "screen/store.py",
)  # fmt: skip
# what is found by its kind: the folder's other files decide nothing
OBJECTIVES, STEMS = "learn/objectives", "model/stems"
LIBRARIES = ("torch", "timm")


def run_identity(
    recipe: Recipe, seed: int, objective: nn.Module, data: TrainingData, images: ImageSet, made_from: Mapping[str, Any]
) -> str:
    """SHA-256 over everything that a run's weights are made from but the code and the arithmetic, noted beside it.

    Args:
        recipe: of the run; of a file of weights that it starts with its content counts, and not its name.
        seed: of the run.
        objective: by the names and shapes of its tensors.
        data: labels and batches.
        images: which they are, and what standardises them.
        made_from: what else there is, as JSON takes it: the pixels' digest, the channels' names.
    """
    shapes = {name: list(tensor.shape) for name, tensor in objective.state_dict().items()}
    facts = {
        "recipe": recipe.model_dump(exclude={"precision", "weights"}),
        "weights": _sha256_of_weights(recipe),
        "seed": seed,
        "shapes": shapes,
        "images": images.rows["image_id"].tolist(),
        **made_from,
    }
    arrays = (data.labels, data.batches, images.means.cpu().numpy(), images.sds.cpu().numpy())
    return sha256_of_json(facts, *(values.tobytes() for values in arrays))


def code_digest(objective: str, stem: str = "plain") -> str:
    """SHA-256 over the code that decides weights, and the versions of what it trains with.

    What is only said does not count: comments, docstrings, descriptions, log lines, errors. Nor do other objectives
    and stems: a new one trains no run anew.

    Args:
        objective: the kind that is minimised.
        stem: the kind that the network has.
    """
    package = Path(debatch.__file__).parent
    files = [*(package / part for part in CODE), *_files_of(package, OBJECTIVES, objective)]
    if stem != "plain":  # which is the backbone alone
        files += _files_of(package, STEMS, stem)
    facts = [(str(file.relative_to(package)), _computed(file.read_text())) for file in sorted(files)]
    return sha256_of_json([facts, [(name, _version(name)) for name in LIBRARIES]])


def _files_of(package: Path, folder: str, kind: str) -> set[Path]:
    """The file of an objective or a stem, and those beside it that it imports."""
    found: set[Path] = set()
    waiting, room = [kind], f"debatch.{folder.replace('/', '.')}."
    while waiting:
        file = package / folder / f"{waiting.pop()}.py"
        if file not in found:
            found.add(file)
            imports = (node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom))
            own = (node.module for node in imports if (node.module or "").startswith(room))
            waiting += [str(module).rpartition(".")[2] for module in own]
    return found


class _Computed(ast.NodeTransformer):
    """A module without what it only says."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Constant() | ast.Call(func=ast.Attribute(value=ast.Name(id="log"))):
                return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise()


def _computed(source: str) -> Any:
    return _nested(_Computed().visit(ast.parse(source)))


def _nested(node: Any) -> Any:
    """A tree as JSON takes it. `ast.dump` of one source differs from Python to Python, by fields that are empty."""
    if isinstance(node, ast.AST):
        fields = {name: _nested(value) for name, value in ast.iter_fields(node) if value is not None and value != []}
        return {type(node).__name__: fields}
    return [_nested(part) for part in node] if isinstance(node, list) else repr(node)


def _sha256_of_weights(recipe: Recipe) -> str | None:
    return None if recipe.weights is None else sha256_of_file(expand(recipe.weights))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
