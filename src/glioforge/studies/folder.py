"""Where the pages of a study find what its tasks left."""

from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True)
class FoldFolder:
    """Places of one fold below a study's folder."""

    root: Path

    def source(self, source: str) -> Path:
        """Synthetic cohort of a source, `generator` or `control`."""
        return self.root / "cases" / source / "made"

    @property
    def reconstruction(self) -> Path:
        """Images made from the test subjects' own labels, for measuring fidelity alone."""
        return self.root / "fidelity" / "reconstruction"

    def method(self, name: str, seed: int) -> Path:
        """What one training of a method in a comparison made: masks, or images and a series."""
        kind = "masks" if (self.root / "masks").is_dir() else "images"
        return self.root / kind / name / f"seed-{seed}"


@final
@dataclass(frozen=True)
class StudyFolder:
    """Places of a whole study."""

    root: Path

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
