"""The one module that imports timm.

timm imports torchvision, whose PyPI wheel is built for CUDA: beside a CPU build of torch its compiled operators do not
load, and the import fails for want of `torchvision::nms`. Declaring the operators by name is enough for timm, which
never calls them. A working torchvision is left untouched.
"""

import sys
from typing import Any

import torch

_declared: Any = None


def import_timm() -> Any:
    """The timm module."""
    global _declared
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        # kept alive: the operators go when the library object does
        _declared = torch.library.Library("torchvision", "DEF")
        _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

    return timm
