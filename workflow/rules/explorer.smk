# The explorer: a page that is opened from its folder, on which embeddings, plates, wells and images are looked at.

from debatch.registry.explored import explored_files, explored_views


# all of a run: to import and compile what projects takes longer than a small screen's points
rule project_run:
    input:
        lambda wildcards: [
            FILES.embeddings(FILES.any_run(wildcards.run), view) for view in explored_views(REGISTRY, wildcards.run)
        ],
    output:
        FILES.projections(ANY_RUN),
    log:
        FILES.log("project_run", "{run}"),
    benchmark:
        FILES.benchmark("project_run", "{run}")
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(4000, times_input=6),
        runtime=240,
    params:
        views=lambda wildcards: explored_views(REGISTRY, wildcards.run),
    script:
        "../scripts/project_run.py"


# reads every stored image once: a job of its own on a cluster
rule make_thumbnails:
    input:
        index=FILES.index(),
    output:
        FILES.thumbnails("{experiment}"),
    log:
        FILES.log("thumbnails", "{experiment}"),
    benchmark:
        FILES.benchmark("make_thumbnails", "{experiment}")
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(3000, times_input=8),
        runtime=120,
    params:
        results=results_and_screen,
        size=SCREEN["explorer"]["thumbnails"],
    script:
        "../scripts/thumbnails.py"


# by functions, so that a job that needs none of it does not list it
rule make_explorer:
    input:
        index=FILES.index(),
        projections=lambda wildcards: explored_files(REGISTRY, FILES)["projections"],
        predictions=lambda wildcards: explored_files(REGISTRY, FILES)["predictions"],
        thumbnails=lambda wildcards: explored_files(REGISTRY, FILES)["thumbnails"],
    output:
        FILES.explorer(),
    log:
        FILES.log("explorer"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        choice=config,
        base=str(BASE),
        screen=screen_params("title", "label", "plate_format", "explorer"),
        code=room_hash("report"),
    script:
        "../scripts/explorer.py"


rule explorer:
    input:
        target_files("explorer"),
