import platform

import pytest

from debatch.runtime import processor
from debatch.runtime.processor import of_cpuinfo, of_sysctl, this_processor

GENERATION = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: {model}
model name\t: AMD EPYC
flags\t\t: fpu sse2 avx {flags}

processor\t: 1
vendor_id\t: Other
flags\t\t: amx_bf16
"""
THIRD = of_cpuinfo(GENERATION.format(model=1, flags="avx2"))
FOURTH = of_cpuinfo(GENERATION.format(model=17, flags="avx512_bf16 avx2 avx512f"))
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd sve bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd40
"""
APPLE = """machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
"""
INTEL_MAC = """machdep.cpu.brand_string: Intel(R) Core(TM) i5 CPU
machdep.cpu.vendor: GenuineIntel
machdep.cpu.family: 6
machdep.cpu.model: 142
hw.optional.avx2_0: 1
hw.optional.avx512f: 0
"""


def test_two_generations_of_one_name_are_told_apart():
    assert THIRD.name == FOURTH.name == "AMD EPYC"
    assert not THIRD.is_as_fast_as(FOURTH)
    assert THIRD.is_as_fast_as(of_cpuinfo(GENERATION.format(model=1, flags="avx2 aes")))
    assert (THIRD.computes_bfloat16, FOURTH.computes_bfloat16) == (False, True)
    assert THIRD.words == "AMD EPYC (AuthenticAMD, family 25, model 1; avx2)"
    assert FOURTH.words == "AMD EPYC (AuthenticAMD, family 25, model 17; avx2, avx512f, avx512_bf16)"


def test_one_processor_whose_instructions_are_hidden_is_another():
    assert not FOURTH.is_as_fast_as(of_cpuinfo(GENERATION.format(model=17, flags="avx2")))


def test_what_was_not_noted_is_not_taken_to_be_the_same():
    unnoted = FOURTH.model_copy(update={"family": None, "model": None})
    assert not FOURTH.is_as_fast_as(unnoted)
    assert not unnoted.is_as_fast_as(FOURTH)
    assert FOURTH.difference(unnoted) < FOURTH.difference(THIRD)
    assert "family not known, model not known" in unnoted.words


def test_arm_under_linux_is_told_by_its_part():
    arm = of_cpuinfo(ARM)
    assert (arm.vendor, arm.family, arm.model, arm.instructions) == ("0x41", 8, 0xD40, ("sve", "bf16"))
    assert arm.name == platform.machine()
    assert not arm.is_as_fast_as(of_cpuinfo(ARM.replace("0xd40", "0xd0c")))


def test_macos_tells_apple_by_name_and_intel_by_model():
    apple, intel = of_sysctl(APPLE), of_sysctl(INTEL_MAC)
    assert (apple.vendor, apple.family, apple.model, apple.instructions) == ("Apple", None, None, ("bf16",))
    assert apple.is_as_fast_as(of_sysctl(APPLE))
    assert not apple.is_as_fast_as(of_sysctl(APPLE.replace("M2", "M1")))
    assert (intel.vendor, intel.family, intel.model, intel.instructions) == ("GenuineIntel", 6, 142, ("avx2",))


@pytest.mark.parametrize("text", ["", "nonsense", "flags\n\n", "cpu family : ?\nmodel : x\n"])
def test_what_says_nothing_is_an_unknown_processor_and_like_no_other(text):
    unknown = of_cpuinfo(text)
    assert (unknown.family, unknown.model, unknown.instructions) == (None, None, ())
    assert not unknown.is_as_fast_as(unknown)


def test_a_system_that_does_not_say_has_an_architecture(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "nowhere")
    monkeypatch.setattr("sys.platform", "freebsd14")
    assert this_processor().name == platform.machine()
    assert "maker not known" in this_processor().words
