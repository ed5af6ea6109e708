"""A dry run of Snakemake in a process of its own that writes nothing and lists its jobs as JSON.

`python -m debatch.cli.planning.dry_run_child SCRATCH ARGUMENT ...`: Snakemake's own arguments. SCRATCH/answer.json then
holds `jobs`, each with rule, wildcards, output and Snakemake's reason, and `errors`: what it had to say against it.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any


def main(scratch: Path, arguments: list[str]) -> None:
    """Plan in the working directory; what Snakemake wants to write there goes to `scratch`."""
    os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
    from snakemake import cli, workflow  # type: ignore[import-untyped]
    from snakemake.logging import logger  # type: ignore[import-untyped]
    from snakemake_interface_logger_plugins.common import LogEvent

    here = Path(".snakemake").resolve()
    aside = scratch / ".snakemake"
    aside.mkdir()
    for kept in ("metadata", "incomplete"):  # what earlier jobs were made with: a plan needs to read it
        if (here / kept).is_dir():
            (aside / kept).symlink_to(here / kept, target_is_directory=True)
        else:
            (aside / kept).mkdir()

    class Aside(workflow.FilePersistence):
        """Snakemake's records, read where they are; its folders and its inventory are made elsewhere."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "path": aside})

    workflow.FilePersistence = Aside
    jobs: list[dict[str, Any]] = []
    errors: list[str] = []

    def listen(record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            job = vars(record)
            listed = {"wildcards": dict(job["wildcards"]), "output": list(job["output"]), "reason": job["reason"]}
            jobs.append({"rule": job["rule_name"], **listed})
        elif record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return True

    # a logger's filter: handlers are replaced when Snakemake starts
    logger.addFilter(listen)
    sys.argv = ["snakemake", *arguments]  # where the workflow looks for what it is called for
    try:
        cli.main(arguments)
    finally:  # it leaves by SystemExit
        (scratch / "answer.json").write_text(json.dumps({"jobs": jobs, "errors": errors}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
