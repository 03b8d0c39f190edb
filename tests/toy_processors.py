"""Processors that tests pretend to run on: what torch and oneDNN would say of each."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Processor:
    """Flags of a processor; `onednn` is what oneDNN says of bfloat16, which plain AVX-512 is enough for."""

    flags: Mapping[str, Any]
    onednn: bool = True
    aten: str = "AVX512"
    available: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


_X86 = {"architecture": "x86_64", "avx2": True}
_WIDE = {**_X86, "avx512_f": True, "avx512_bw": True, "avx512_vnni": True}
_BF16 = {**_WIDE, "avx512_bf16": True}
PROCESSORS = {
    "AVX2": Processor(_X86, onednn=False, aten="AVX2"),
    "AVX-512 without BF16": Processor(_WIDE),
    "AVX-512 BF16": Processor(_BF16),
    "AMX-BF16": Processor({**_WIDE, "amx_tile": True, "amx_bf16": True}),
    "AMX tiles alone": Processor({**_WIDE, "amx_tile": True, "amx_bf16": False}),
    "BF16, oneDNN held to AVX2": Processor(_BF16, onednn=False, environment={"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "BF16, oneDNN held to AVX-512": Processor(_BF16, environment={"ONEDNN_MAX_CPU_ISA": "avx512_core"}),
    "BF16, oneDNN held by its old name": Processor(_BF16, environment={"DNNL_MAX_CPU_ISA": "AVX512_CORE_VNNI"}),
    "BF16, oneDNN not held": Processor(_BF16, environment={"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}),
    "BF16, torch held to AVX2": Processor(_BF16, aten="AVX2", environment={"ATEN_CPU_CAPABILITY": "avx2"}),
    "BF16, torch without oneDNN": Processor(_BF16, available=False),
    "ARM with BF16": Processor({"architecture": "aarch64", "neon": True, "bf16": True}, aten="DEFAULT"),
    "ARM without BF16": Processor({"architecture": "aarch64", "neon": True, "bf16": False}, aten="DEFAULT"),
    "unknown": Processor({}),
}
NATIVE = {"AVX-512 BF16", "AMX-BF16", "BF16, oneDNN not held", "ARM with BF16"}
"""Those that compute bfloat16 by themselves."""


def pretend(monkeypatch, name: str) -> None:
    """Let torch and oneDNN answer as on this processor, without a GPU."""
    processor = PROCESSORS[name]
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor.flags)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor.aten)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: processor.available)
    answers = types.SimpleNamespace(_is_mkldnn_bf16_supported=lambda: processor.onednn)
    monkeypatch.setattr(torch.ops, "mkldnn", answers)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for variable in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in processor.environment.items():
        monkeypatch.setenv(variable, value)
