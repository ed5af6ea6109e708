# Raw images to one store an experiment, and the index of them all.


rule ingest_experiment:
    input:
        metadata=metadata_input(),
        raw=raw_files,
    output:
        # the file, not the folder: Snakemake would write a timestamp into a folder, and zarr warn of it
        store=FILES.store_marker("{experiment}"),
        rows=FILES.ingested("{experiment}"),
    log:
        FILES.log("ingest_experiment", "{experiment}"),
        # a log survives a failed job, an output does not
        problems=FILES.problems("{experiment}"),
    benchmark:
        FILES.benchmark("ingest_experiment", "{experiment}")
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.ingest_threads
    resources:
        mem_mb=with_attempt(1500),
        runtime=240,
    params:
        screen=part_params(
            "simulate",
            "source",
            "metadata",
            "annotations",
            "experiments",
            "columns",
            "well_types",
            "fields",
            "derive",
            "missing",
            "experiment_names",
            "image",
            "on_problem",
            "store",
            "plate_format",
        ),
        part=lambda wildcards: REGISTRY.screen.part_of(wildcards.experiment),
        results=results_and_screen,
        metadata_sha256=metadata_sha256,
    script:
        "../scripts/ingest_experiment.py"


rule index:
    input:
        metadata=metadata_input(),
        rows=all_ingested,
        stores=all_stores,
    output:
        FILES.index(),
    log:
        FILES.log("index"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000, times_input=8),
        runtime=30,
    params:
        screen=screen_params(
            "simulate",
            "source",
            "parts",
            "metadata",
            "annotations",
            "experiments",
            "columns",
            "well_types",
            "fields",
            "derive",
            "missing",
            "experiment_names",
            "image",
            "plate_format",
            "qc",
        ),
        experiments=REGISTRY.experiments,
        results=results_and_screen,
        metadata_sha256=metadata_sha256,
    script:
        "../scripts/index.py"


rule ingest:
    input:
        target_files("ingest"),
