"""Call nnU-Net's own commands, in folders of their own, with folds that never divide a subject.

nnU-Net is an optional package of other authors and licence; none of it is
imported here.  Its commands find their data through three variables of the
environment, which are set for the command alone.

nnU-Net deals cases out by itself unless `splits_final.json` says otherwise, and
knows nothing of subjects.  Here the real subjects are dealt out; a case trains
in a fold if no subject who contributed to it - its own, its parents', its
generator's - is validated in that fold.

Conventions
-----------
folder      holds `nnUNet_raw`, `nnUNet_preprocessed`, `nnUNet_results` and `nnunet.log`
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence, Set as AbstractSet
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, final

from glioforge.core import (
    Cohort,
    DependencyError,
    LeakageError,
    TrainingError,
    folds_by_subject,
    free_of,
    require_no_leak,
)
from glioforge.io import write_atomically

LOG = "nnunet.log"
COMMANDS = ("nnUNetv2_plan_and_preprocess", "nnUNetv2_train", "nnUNetv2_predict")
TRAINERS = "trainers"
"""Folder of trainer classes of our own, which nnU-Net finds through a variable of the environment."""
ROOTS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
_LAST_LINES = 12
_GRACE_S = 10.0


def find_command(name: str, environment: Path | None = None) -> str:
    """Path of one of nnU-Net's commands, in its own environment, else next to this Python or on the path.

    Args:
        name: Name of the command.
        environment: Environment in which nnU-Net is installed; its folder, or the folder of its commands.

    Raises:
        DependencyError: nnU-Net is not installed there.
    """
    own = [] if environment is None else [str(environment / "bin"), str(environment)]
    others = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(own or others))
    if found is None:
        place = "on the path" if environment is None else f"in the environment {environment}"
        raise DependencyError(
            f"the command {name} is not {place}",
            "nnU-Net 2",
            "install it: pip install 'glioforge[nnunet]', or name the environment that has it: "
            "segmenter.environment=FOLDER",
        )
    return found


def write_trainer(folder: Path, name: str, epochs: int, steps: int) -> None:
    """Write a trainer class of another length than nnU-Net's own ones have.

    Args:
        folder: Where its data lie.
        name: Name of the class.
        epochs: Number of epochs.
        steps: Steps of an epoch.

    Raises:
        OutputError: The folder cannot be written.
    """
    # nnU-Net looks its arguments up by the names in this signature, so that *args would not do.
    lines = f"""import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class {name}(nnUNetTrainer):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = {epochs}
        self.num_iterations_per_epoch = {steps}
"""
    write_atomically(folder / TRAINERS / f"{name}.py", lines.encode())


def call_nnunet(words: Sequence[str], folder: Path, environment: Path | None = None) -> None:
    """Run one of nnU-Net's commands to its end; what it prints is added to the folder's log.

    Args:
        words: Name of the command and its arguments; no shell is involved.
        folder: Where its data lie.
        environment: As in `find_command`.

    Raises:
        DependencyError: nnU-Net is not installed.
        TrainingError: The command failed; the message ends with the last lines of its log.
    """
    command = [find_command(words[0], environment), *words[1:]]
    roots = {name: str((folder / name).resolve()) for name in ROOTS}
    for root in roots.values():
        Path(root).mkdir(parents=True, exist_ok=True)
    if (folder / TRAINERS).is_dir():
        roots["nnUNet_extTrainer"] = str((folder / TRAINERS).resolve())
    log = folder / LOG
    with log.open("ab") as stream:
        stream.write(f"\n$ {' '.join(words)}\n".encode())
        stream.flush()
        code = _run_group(command, {**os.environ, **roots}, stream.fileno())
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise TrainingError(
            f"{words[0]} ended with code {code}: {' | '.join(line.strip() for line in lines if line.strip())}",
            "code 0",
            "read the whole log, mend the cause and give the same command again",
            log,
        )


def _run_group(command: list[str], environment: dict[str, str], output: int) -> int:
    """Run in a process group of its own, and end all of it should this process be stopped."""
    process = subprocess.Popen(  # noqa: S603 - no shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait()
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        raise


SPLITS_FILE = "splits_final.json"
_PARTS = 10
"""Largest number that the more frequent of real and synthetic cases are divided by when a share is approximated."""


@final
class Fold(TypedDict):
    """Case ids of one fold, as nnU-Net reads them."""

    train: list[str]
    val: list[str]


def nnunet_folds(cohort: Cohort, count: int, seed: int) -> list[Fold]:
    """Divide a cohort; each real subject is validated in exactly one fold, synthetic cases in none.

    Args:
        cohort: Real and perhaps synthetic cases.
        count: Number of folds.
        seed: Seed of the shuffle.

    Raises:
        CohortError: There are too few real subjects for so many folds.
        LeakageError: In some fold every case comes from a validated subject.
    """
    real = cohort.select([ref.case_id for ref in cohort if not ref.lineage.is_synthetic], f"{cohort.name}-real")
    return [_fold(cohort, split.test) for split in folds_by_subject(real, folds=count, validation=0.5, seed=seed)]


def single_fold(train: Cohort, validation: Cohort) -> list[Fold]:
    """One fold of a split that is given.

    Raises:
        LeakageError: A validation subject stands behind a training case.
    """
    require_no_leak({train.name: train}, validation)
    return [Fold(train=[ref.case_id for ref in train], val=[ref.case_id for ref in validation])]


def repeated(fold: Fold, synthetic: AbstractSet[str], share: float) -> Fold:
    """Repeat case ids of a fold so that about this share of the draws is of synthetic cases.

    nnU-Net draws each case of a batch by its name, with the same chance for each entry of the list.

    Args:
        fold: Each case once.
        synthetic: Ids of the synthetic cases.
        share: Wanted share; a fold of real or of synthetic cases alone stays as it is.

    Example:
        >>> repeated(Fold(train=["a", "b", "x"], val=[]), {"x"}, 0.5)["train"]
        ['a', 'b', 'x', 'x']
    """
    made = [case for case in fold["train"] if case in synthetic]
    real = [case for case in fold["train"] if case not in synthetic]
    if not made or not real or not 0 < share < 1:
        return fold
    # Entries of a synthetic case for each entry of a real one, as a fraction of small numbers.
    ratio = Fraction(share * len(real) / ((1 - share) * len(made)))
    simple = ratio.limit_denominator(_PARTS) if ratio >= 1 else 1 / (1 / ratio).limit_denominator(_PARTS)
    return Fold(train=real * simple.denominator + made * simple.numerator, val=fold["val"])


def _fold(cohort: Cohort, held: Cohort) -> Fold:
    """The held cases, and all that no held subject stands behind."""
    free = [ref.case_id for ref in free_of(cohort, held)]
    if not free:
        raise LeakageError(
            f"every case comes from one of the subjects {sorted(held.subjects_guarded)}",
            "cases of other subjects to train on",
            "make synthetic cases from training subjects only, or give a validation cohort",
            cohort.where,
        )
    return Fold(train=free, val=[ref.case_id for ref in held])
