"""Which synthesizer makes the images of unseen label maps best? From scans to a report, in one command.

Every method is trained on the same training subjects of the same split, with a
budget of its own, and makes images of the label maps of the same unseen
subjects.  These are compared with the truth - the image without noise for
phantoms, else the scan - and with each other, subject by subject.  A segmenter
trained on scans is asked whether it finds the labels again, and one label map
with its edits is shown as every method paints it.
"""

from pathlib import Path

from glioforge.core.protocols import Progress
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.conduct import conduct, report_again
from glioforge.studies.jobs import Facts, Job, perform
from glioforge.studies.synthesizer_stages import Fold, make_series, score_method, train_judge, train_method
from glioforge.studies.synthesizers_report import write_page

SPEC = SynthesizersSpec
"""Settings of this kind of study."""


def run_study(spec: SynthesizersSpec, out: Path, *, data: Path | None = None, progress: Progress | None = None) -> Path:
    """Run a comparison of synthesizers, or go on with it; arguments and errors as `studies.kinds.run_study`."""
    return conduct(spec, out, _staged, write_page, data=data, progress=progress)


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished comparison again."""
    return report_again(out, SPEC, write_page, progress)


def _staged(spec: SynthesizersSpec, out: Path, count: int, progress: Progress) -> Facts:
    """Trainings of all folds first, then what each method makes; within either, nothing waits for anything."""
    folds = [Fold(spec, out, index) for index in range(count)]
    runs = [(fold, (name, seed)) for fold in folds for name in spec.methods for seed in range(spec.seeds)]
    first = [Job(train_judge, fold) for fold in folds] + [Job(make_series, folds[0])]
    first += [Job(train_method, fold, run) for fold, run in runs]
    facts = perform(spec, first, "trainings", progress)
    return facts + perform(spec, [Job(score_method, fold, run) for fold, run in runs], "images and scores", progress)
