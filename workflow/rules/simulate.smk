# A simulated screen's raw images and catalogue: from here on it is a screen like any other.


rule simulate_metadata:
    output:
        FILES.raw_metadata(),
    log:
        FILES.log("simulate_metadata"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(1000),
        runtime=10,
    params:
        simulations=[simulation.model_dump() for simulation in REGISTRY.screen.simulations()],
    script:
        "../scripts/simulate_metadata.py"


rule simulate_experiment:
    output:
        FILES.raw_manifest("{experiment}"),
    log:
        FILES.log("simulate_experiment", "{experiment}"),
    benchmark:
        FILES.benchmark("simulate_experiment", "{experiment}")
    wildcard_constraints:
        experiment=any_of(REGISTRY.experiments),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(1500),
        runtime=30,
    params:
        simulation=lambda wildcards: part_params("simulate")(wildcards)["simulate"],
        results=results_and_screen,
    script:
        "../scripts/simulate_experiment.py"
