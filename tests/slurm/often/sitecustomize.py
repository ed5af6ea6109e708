"""Snakemake asks for its jobs each second: while none ends, the SLURM plugin waits ten seconds longer at each look.

On PYTHONPATH of the tests' calls alone; what it does at a look is the plugin's own.
"""

import asyncio
import sys
from pathlib import Path

if Path(sys.argv[0]).name == "snakemake":
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    async def sleep(_: RemoteExecutor) -> None:
        await asyncio.sleep(1)

    RemoteExecutor.sleep = sleep
