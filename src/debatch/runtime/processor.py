"""What this machine's processor is: its make and the instruction sets that arithmetic gets faster by."""

import platform
import subprocess
import sys
from pathlib import Path

from debatch.config.throughput import INSTRUCTION_SETS, Processor

CPUINFO = Path("/proc/cpuinfo")
# macOS lists one instruction set a line, by names of its own
MACOS_NAMES = {
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
    "hw.optional.arm.FEAT_BF16": "bf16",
}


def this_processor() -> Processor:
    """The processor that this runs on. Where the system does not say what it is: its architecture."""
    if CPUINFO.exists():
        return of_cpuinfo(CPUINFO.read_text())
    if sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "machdep.cpu", "hw.optional"]
        return of_sysctl(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)  # noqa: S603
    return Processor(name=_architecture(), instructions=())


def of_cpuinfo(text: str) -> Processor:
    """From Linux's /proc/cpuinfo: x86: family, model, flags; ARM: implementer, architecture, part, features."""
    said = _pairs(text.partition("\n\n")[0])
    listed = (said.get("flags") or said.get("Features") or "").split()
    return Processor(
        name=said.get("model name") or _architecture(),
        vendor=said.get("vendor_id") or said.get("CPU implementer"),
        family=_number(said.get("cpu family") or said.get("CPU architecture")),
        model=_number(said.get("model") or said.get("CPU part")),
        instructions=tuple(name for name in INSTRUCTION_SETS if name in listed),
    )


def of_sysctl(text: str) -> Processor:
    """From macOS's sysctl. Apple's own have no family and no model there: each generation has a name of its own."""
    said = _pairs(text)
    name = said.get("machdep.cpu.brand_string") or _architecture()
    listed = {MACOS_NAMES[key] for key, value in said.items() if key in MACOS_NAMES and value == "1"}
    return Processor(
        name=name,
        vendor=said.get("machdep.cpu.vendor") or ("Apple" if name.startswith("Apple ") else None),
        family=_number(said.get("machdep.cpu.family")),
        model=_number(said.get("machdep.cpu.model")),
        instructions=tuple(name for name in INSTRUCTION_SETS if name in listed),
    )


def _pairs(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _number(text: str | None) -> int | None:
    """As the kernel writes it, decimal or 0x; None where it is no number."""
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def _architecture() -> str:
    return platform.machine() or "processor not known"
