"""Stop before pip fetches gigabytes of CUDA packages onto a machine without a GPU.

pip is asked what it would install for torch.  The check passes where torch is
installed already, where its build brings no CUDA packages, or where there is
a GPU to use them; with `--cpu` a GPU makes no difference.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence

REMEDY = """\
pip would install {count} CUDA packages, for which there is no use: this machine shows no NVIDIA GPU
(no nvidia-smi), or only a CPU is asked for.
Take the CPU build of torch, whose index is named on PyTorch's install page:

    make setup TORCH_INDEX=<address of the CPU index>

or, if they are wanted all the same:

    make setup ALLOW_CUDA=1"""


def cuda_packages() -> list[str]:
    """Names of CUDA packages that pip would install with torch."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    done = subprocess.run([*command, "-c", "constraints.txt", "torch"], stdout=subprocess.PIPE, text=True, check=True)
    names = [item["metadata"]["name"].lower() for item in json.loads(done.stdout)["install"]]
    return sorted(name for name in names if name.startswith(("nvidia-", "cuda-")))


def main(arguments: Sequence[str] = ()) -> int:
    """Return 1, with advice, where CUDA packages would come for nothing."""
    wanted = "--cpu" not in arguments and shutil.which("nvidia-smi") is not None
    if importlib.util.find_spec("torch") is not None or wanted:
        return 0
    found = cuda_packages()
    if found:
        print(REMEDY.format(count=len(found)), file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
