from .accelerator import (
    AcceleratorSpec as AcceleratorSpec,
    described as described,
    deterministic as deterministic,
    device_of as device_of,
    precision_for as precision_for,
    precision_note as precision_note,
    precision_of as precision_of,
    resolved as resolved,
    seed_torch as seed_torch,
    set_threads as set_threads,
    start as start,
)
from .parallel import ParallelSpec as ParallelSpec, fan_out as fan_out
from .precision import PRECISION_WORDS as PRECISION_WORDS, Precision as Precision, usable_memory as usable_memory
from .schedule import Job as Job, run_graph as run_graph
from .workers import LocalWorkers as LocalWorkers
