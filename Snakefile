"""debatch: a screen's raw images to the tables and figures of a paper."""

from snakemake.utils import min_version

min_version("9.16")


include: "workflow/rules/common.smk"


# for --sdm apptainer
if config.get("container"):

    container: config["container"]


if REGISTRY.externals:

    include: "workflow/rules/profiles.smk"

else:

    include: "workflow/rules/simulate.smk"
    include: "workflow/rules/ingest.smk"


include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/correct.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/start.smk"


rule all:
    default_target: True
    input:
        [target_files(target) for target in REGISTRY.screen.targets],
