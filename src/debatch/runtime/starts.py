"""What a run says of each of the starts that it took: it may go on by other code, and on another machine."""

import os
from datetime import UTC, datetime
from typing import Any

import torch

from debatch import __version__
from debatch.runtime.devices import describe_device
from debatch.versions import git_commit


def start_record(device: torch.device, devices: int) -> dict[str, Any]:
    """The start that is made now.

    Args:
        device: of the process that writes.
        devices: of all of its processes.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "versions": {"debatch": __version__, "torch": str(torch.__version__)},
        "device": describe_device(device)["device"],
        "devices": devices,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }
