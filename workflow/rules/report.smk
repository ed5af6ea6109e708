# Tables, figures and the page that holds them: local, in seconds. Each is a target of its own.


rule make_table1:
    input:
        metrics=run_metrics("table1"),
        published=shipped("resources/published/published.csv"),
    output:
        csv=FILES.table("table1", "csv"),
        md=FILES.table("table1", "md"),
        runs=FILES.table("table1", "json"),
    log:
        FILES.log("table1"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        choice=config,
        base=str(BASE),
        code=room_hash("evaluate", "report"),
    script:
        "../scripts/table1.py"


rule make_figure6:
    input:
        embeddings=run_embeddings("figure6"),
    output:
        svg=FILES.figure("figure6", "svg"),
        png=FILES.figure("figure6", "png"),
        numbers=FILES.figure("figure6", "csv"),
    log:
        FILES.log("figure6"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        figure=REGISTRY.figures["figure6"].model_dump(),
        titles=[REGISTRY.title(run.method) for run in REGISTRY.runs("figure6")],
        place=place,
        simulated=REGISTRY.screen.simulate is not None,
        code=room_hash("report"),
    script:
        "../scripts/figure6.py"


rule make_report:
    input:
        index=FILES.index(),
        splits=[FILES.split(split) for split in REGISTRY.screen.splits.names],
        tables=target_files("tables"),
        figures=target_files("figures"),
    output:
        FILES.report(),
    log:
        FILES.log("report"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        choice=config,
        base=str(BASE),
        screen=SCREEN,
        code=room_hash("evaluate", "report"),
    script:
        "../scripts/report.py"


rule report:
    input:
        target_files("report"),


rule tables:
    input:
        target_files("tables"),


rule figures:
    input:
        target_files("figures"),


for target in [*REGISTRY.tables, *REGISTRY.figures]:

    rule:
        name:
            target
        input:
            target_files(target),
