#!/usr/bin/env bash
# Whether training on a GPU is right, and how fast it is, in at most 8 minutes: for a machine that is rented for a
# quarter of an hour.
#
# Usage: benchmarks/gpu.sh [--small] [FOLDER]
#
# FOLDER takes the records; else $OUT, else ./gpu-records. Each step has a time limit of its own and writes as soon as it
# has something, so that a run that is cut off leaves what it had:
#   summary.txt     the machine; a line as each step begins and ends
#   records.jsonl   a JSON record a check (gpu_checks.py) and a measurement (training_step.py, loading.py)
#   throughput.yaml entries for config/throughput.yaml (throughput.py)
#   log.txt         what the steps said beside
# --small: the same steps at a size for a CPU, where it is tried before a GPU is paid for.
#
# The exit status: 0 all is well; 1 a check failed; 2 the checks passed and a measurement failed or was cut off (but for
# the last, which is made if there is time); 3 nothing was done. A form of the training step that does not fit the GPU's
# memory is no failure: its record says so.
#
# Neither Snakemake nor an installed debatch is needed. `PYTHON` names the interpreter (else python3): 3.11 or newer,
# with torch 2.11 or newer and beyond torch these, by the names that they are imported by:
NEEDS="
  annotated_types cv2 donfig google_crc32c ml_dtypes numcodecs numpy packaging pandas pyarrow pydantic pydantic_core
  safetensors scipy skimage tensorstore timm torchvision typing_inspection yaml zarr
"
# An image with PyTorch and the usual packages lacks annotated-types, donfig, google-crc32c, numcodecs, pydantic,
# pydantic_core, typing-inspection and zarr, in the versions of requirements.lock 12 MB of wheels: where it reaches no
# registry, bring them, `pip install --no-deps --target DIR *.whl`, and add DIR to PYTHONPATH.

set -u
SECONDS=0
MOST=475   # seconds in all, but for the last step's end
LEAST=10   # a step that would have less is not begun
PYTHON=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)

size=full
if [ "${1:-}" = --small ]; then
    size=small MOST=4800
    shift
fi
out=${1:-${OUT:-gpu-records}}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 3
export PYTHONPATH=$here/../src${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

say() { echo "$*" | tee -a "$out/summary.txt"; }

machine=$(timeout 60 "$PYTHON" - $NEEDS 2>>"$out/log.txt" <<'PY'
import importlib.util, platform, sys

missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]
if missing or importlib.util.find_spec("torch") is None:
    sys.exit(f"not to be imported here: {' '.join(missing) or 'torch'}")
import torch

device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
print(f"Python {platform.python_version()}, torch {torch.__version__}, CUDA {torch.version.cuda}, {device}")
PY
) || {
    say "$(tail -n 1 "$out/log.txt")"
    say "nothing was done: $PYTHON is not ready; the head of $0 names what is needed"
    exit 3
}
say "$(date -u +%FT%TZ) $size, commit $(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)"
say "$machine"
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 |
    tee -a "$out/summary.txt"
say "/dev/shm, for the processes of the training step's plain form: $(df -h --output=avail /dev/shm 2>&1 | tail -n 1)"
if [ $size = full ] && [[ $machine == *"no GPU" ]]; then
    say "nothing was done: torch sees no GPU here; --small is for a CPU"
    exit 3
fi

# A step in the background, so that a signal to this script is heard while it works.
step=
trap '[ -n "$step" ] && kill "$step" 2>/dev/null; say "cut off after $SECONDS s"; exit 2' INT TERM HUP

# do_step SECONDS FILE SCRIPT ARGUMENTS...: at most so long (a CPU has more time), and what is left of all
do_step() {
    local limit=$(($1 * MOST / 475)) file=$out/$2 begun=$SECONDS status left=$((MOST - SECONDS))
    shift 2
    if [ $left -lt $LEAST ]; then
        say "not begun, for want of time: $*"
        return 124
    fi
    [ $limit -le $left ] || limit=$left
    say "begun at $begun s, at most $limit s: $*"
    local had=0
    [ -e "$file" ] && had=$(wc -c <"$file")
    timeout --kill-after 3 "$limit" "$PYTHON" "$here/$1" "${@:2}" >>"$file" 2>>"$out/log.txt" </dev/null &
    step=$!
    wait $step
    status=$?
    step=
    tail -c +$((had + 1)) "$file"
    case $status in
        0) say "  done in $((SECONDS - begun)) s" ;;
        124 | 137) say "  cut off after $((SECONDS - begun)) s" ;;
        *) say "  FAILED with $status after $((SECONDS - begun)) s: $(tail -n 1 "$out/log.txt")" ;;
    esac
    return $status
}

if [ $size = full ]; then
    checks=()
    paper=(densenet161 512)
    others=("densenet121 512" "resnet50 224" "deit_small_patch16_224 224" "convnext_tiny 224")
    step_size=(--steps 2 --rounds 2)
    loading=(8 --device cuda --images 512 --rounds 2)
    rate=(--seconds 4)
else
    checks=(--backbones small_resnet --pixels 32 --group 8)
    paper=(small_densenet 32)
    others=()
    step_size=(--group 4 --groups-per-step 2 --steps 1 --rounds 1)
    loading=(1 --group 4 --groups-per-step 2 --images 16 --rounds 1)
    rate=(--seconds 0.1 --threads 1 --group 4)
fi
network=(--backbone "${paper[0]}" --pixels "${paper[1]}")
measure() { do_step "$@" || missed=2; }

wrong=0 missed=0
do_step 75 records.jsonl gpu_checks.py "${checks[@]}" || wrong=1
measure 110 records.jsonl training_step.py "${network[@]}" "${step_size[@]}" --forms plain ours ours_checkpointed
measure 45 throughput.yaml throughput.py train "${paper[@]}" "${rate[@]}"
measure 25 throughput.yaml throughput.py embed "${paper[@]}" "${rate[@]}"
measure 80 records.jsonl loading.py "${loading[@]}" "${network[@]}"
for other in "${others[@]}"; do
    measure 30 throughput.yaml throughput.py train $other "${rate[@]}"
    measure 20 throughput.yaml throughput.py embed $other "${rate[@]}"
done
if [ $size = full ]; then  # what 80 GB hold of `plain`; and what compiling gains, if the time that is left is enough
    measure 60 records.jsonl training_step.py "${network[@]}" "${step_size[@]}" --group 32 --forms plain ours
    do_step $MOST records.jsonl training_step.py "${network[@]}" "${step_size[@]}" --forms ours ours_compiled
fi

[ $wrong = 0 ] || say "A CHECK FAILED, or could not be made: see \"passed\" in $out/records.jsonl, and $out/log.txt"
say "ended after $SECONDS s; the records are in $out"
exit $((wrong ? wrong : missed))
