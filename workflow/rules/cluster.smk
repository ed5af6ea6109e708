# Before jobs go to a cluster: would it take them?


onstart:
    if workflow.executor_plugin.name == "slurm":
        from debatch.slurm import demand, refuse_impossible

        # one job speaks for all of its rule
        some = {job.rule.name: job for job in workflow.dag.needrun_jobs() if not job.is_local}
        try:
            refuse_impossible(
                [demand(name, job.threads, job.resources) for name, job in some.items()],
                "your profile (~/.config/snakemake/slurm/config.yaml)",
            )
        except UserError as error:
            raise WorkflowError(str(error)) from None
