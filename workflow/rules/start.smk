# Before the first job starts: is what the screen names there, and would a cluster take the jobs? After the last one: what did they
# take?

READ_METADATA = {"ingest_experiment", "index", "index_profiles", "embed_profiles"}


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    try:
        if READ_METADATA & {job.rule.name for job in jobs}:
            REGISTRY.refuse_missing_sources()
        if workflow.executor_plugin.name == "slurm":
            # one job speaks for all of its rule
            some = {job.rule.name: job for job in jobs if not job.is_local}
            refuse_impossible(
                [demand(name, job.threads, job.resources) for name, job in some.items()],
                "your profile (~/.config/snakemake/slurm/config.yaml, unless you named another one)",
            )
    except UserError as error:
        raise WorkflowError(str(error)) from None


def gather_measured_times():
    """What jobs took, for `debatch plan`. Times that cannot be written fail nothing."""
    from debatch.runtime.times import gather_times
    from snakemake.logging import logger

    try:
        gather_times(Path(FILES.benchmarks()), Path(FILES.times()))
    except OSError as error:
        logger.warning(f"{FILES.times()}: {error}")


onsuccess:
    gather_measured_times()


onerror:
    gather_measured_times()
