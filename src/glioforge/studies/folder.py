"""Where a study keeps what: one folder, each step in a place of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True)
class FoldFolder:
    """Places of one fold below a study's folder."""

    root: Path

    @property
    def split(self) -> Path:
        """Names of the subjects on each side."""
        return self.root / "split.json"

    @property
    def synthesizer(self) -> Path:
        """Trained generator."""
        return self.root / "synthesizer"

    def source(self, source: str) -> Path:
        """Synthetic cohort of a source, `generator` or `control`."""
        return self.root / "synthetic" / source

    @property
    def reconstruction(self) -> Path:
        """Images made from the test subjects' own labels, for measuring fidelity alone."""
        return self.root / "reconstruction"

    @property
    def pilot(self) -> Path:
        """Run of the baseline that finds the steps of all segmenters."""
        return self.root / "pilot"

    def segmenter(self, arm: str, seed: int) -> Path:
        """Trained segmenter of an arm."""
        return self.root / "segmenters" / arm / f"seed-{seed}"

    def scores(self, arm: str, seed: int) -> Path:
        """Numbers of a segmenter on the test subjects."""
        return self.root / "scores" / arm / f"seed-{seed}"

    def method(self, name: str, seed: int) -> Path:
        """One training of a method in a comparison: its model, its numbers and what it made."""
        return self.root / "methods" / name / f"seed-{seed}"

    @property
    def judge(self) -> Path:
        """Segmenter trained on scans, which judges synthetic images."""
        return self.root / "judge"

    @property
    def series(self) -> Path:
        """Edited label maps of one test subject, for pictures alone."""
        return self.root / "series"

    @property
    def fidelity(self) -> Path:
        """Numbers of the generator's images on the test subjects."""
        return self.root / "fidelity"


@final
@dataclass(frozen=True)
class StudyFolder:
    """Places of a whole study."""

    root: Path

    @property
    def phantoms(self) -> Path:
        """Scans of a phantom cohort, where the study makes one."""
        return self.root / "phantoms"

    @property
    def source(self) -> Path:
        """The ingested cohort."""
        return self.root / "cohort"

    @property
    def prepared(self) -> Path:
        """The prepared cohort."""
        return self.root / "prepared"

    def fold(self, index: int) -> FoldFolder:
        """Places of one fold."""
        return FoldFolder(self.root / f"fold-{index}")

    @property
    def report(self) -> Path:
        """The report, one file."""
        return self.root / "report.html"
