"""The models of timm as a text, for what must not import it. `python -m debatch.model.timm_models FILE` writes it."""

import sys
from pathlib import Path

from debatch.model.timm_import import import_timm


def timm_models_text() -> str:
    """A line a model: its name, then the tags of its pretrained weights; timm's version before them.

    Older names that timm maps to a model of today are among them, with that model's tags.
    """
    timm = import_timm()
    from timm.models import _registry  # the public lists leave out older names, which `create_model` takes too

    older = _registry._deprecated_models
    lines = [f"# models of timm {timm.__version__}"]
    for name in sorted({*timm.list_models(), *older}):
        current = older.get(name, name)
        if current is None:  # removed, and nothing stands for it
            continue
        known = timm.models.get_arch_pretrained_cfgs(current)
        tags = sorted(tagged.partition(".")[2] for tagged in known if "." in tagged)
        lines.append(" ".join([name, *tags]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(timm_models_text(), encoding="utf-8")
