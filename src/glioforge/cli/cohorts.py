"""How verbs name, open and describe cohorts and layouts."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glioforge.config.spec import Spec
    from glioforge.core.cohort import Cohort
    from glioforge.core.modality import Modality


def layout_from(text: str | None) -> "Spec | None":
    """Layout spec from a name, a YAML file, or none to have it detected.

    Raises:
        SpecError: Neither a file nor a layout of this name.
    """
    if text is None:
        return None
    from glioforge.config.load import load_spec, parse_spec
    from glioforge.io.layout import LayoutChoice

    if Path(text).suffix in {".yaml", ".yml"}:
        return load_spec(Path(text), LayoutChoice).layout
    return parse_spec({"layout": text}, LayoutChoice, where="--layout").layout


def open_cohort(folder: Path, layout: str | None = None, register_to: "Modality | None" = None) -> "Cohort":
    """Cohort of a folder: by its cohort.json, else by ingesting it."""
    from glioforge.io.cohort_file import read_cohort
    from glioforge.io.ingest import ingest

    if (folder / "cohort.json").is_file():
        return read_cohort(folder)
    return ingest(folder, layout_from(layout), register_to=register_to)


def describe(cohort: "Cohort") -> str:
    """Two lines: what the cohort holds and its fingerprint."""
    kinds = Counter(ref.lineage.kind for ref in cohort)
    held = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    contrasts = ", ".join(m.title for m in cohort.modalities)
    return (
        f"{cohort.name}: {len(cohort)} cases ({held}) of {len(cohort.subject_ids)} subjects; {contrasts}; "
        f"labels {cohort.scheme.name}\nfingerprint {cohort.fingerprint}"
    )
