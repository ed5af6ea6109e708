# Tables, figures and the page that holds them: local, in seconds. Each is a target of its own.


rule make_table:
    input:
        lambda wildcards: needed_files(wildcards.table),
        published=shipped("resources/published/published.csv"),
    output:
        csv=FILES.table("{table}", "csv"),
        md=FILES.table("{table}", "md"),
        runs=FILES.table("{table}", "json"),
    log:
        FILES.log("{table}"),
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
        table=lambda wildcards: REGISTRY.tables[wildcards.table].model_dump(),
        shown=shown,
        code=room_hash("evaluate", "report"),
    script:
        "../scripts/table.py"


rule make_figure:
    input:
        lambda wildcards: needed_files(wildcards.figure),
    output:
        figure_files("{figure}"),
    log:
        FILES.log("{figure}"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        choice=config,
        base=str(BASE),
        figure=lambda wildcards: REGISTRY.figures[wildcards.figure].model_dump(),
        drawn=figure_style(),
        shown=shown,
        code=room_hash("evaluate", "report"),
    script:
        "../scripts/figure.py"


rule make_report:
    input:
        index=FILES.index(),
        splits=[FILES.split(split) for split in REGISTRY.shown_splits()],
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


# The same page of all that a paper shows, whatever the screen's own targets are.
rule make_page:
    input:
        index=FILES.index(),
        splits=lambda wildcards: [FILES.split(split) for split in PAGES[wildcards.page].shown_splits()],
        tables=lambda wildcards: page_parts(wildcards.page, "tables"),
        figures=lambda wildcards: page_parts(wildcards.page, "figures"),
    output:
        FILES.page("{page}"),
    log:
        FILES.log("{page}"),
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
        "../scripts/page.py"


rule report:
    input:
        target_files("report"),


rule tables:
    input:
        target_files("tables"),


rule figures:
    input:
        target_files("figures"),


for target in [*REGISTRY.tables, *REGISTRY.figures, *PAGES]:

    rule:
        name:
            target
        input:
            target_files(target),
