"""How verbs name, open and describe cohorts and layouts."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from glioforge import config, core, io

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glioforge.config import Spec
    from glioforge.core import Cohort, Modality

_LOG = logging.getLogger(__name__)


def contrasts_from(texts: "Sequence[str] | None") -> "tuple[Modality, ...] | None":
    """Return the contrasts of texts such as `t1,flair`, in their order; none for no text.

    Raises:
        SpecError: A name is no contrast.
    """
    names = [name.strip().lower() for text in texts or () for name in text.split(",")]
    known = [contrast.value for contrast in core.Modality]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise core.SpecError(
            f"contrast {wrong[0]!r}", f"contrasts separated by commas, of {', '.join(known)}", where="--modalities"
        )
    return tuple(core.Modality(name) for name in names) or None


def layout_from(text: str | None, *, follow_links: bool = False) -> "Spec | None":
    """Return the layout spec of a name or a YAML file, or none to have it detected.

    Args:
        text: A layout's name or the path of a YAML file.
        follow_links: Also read linked folders that lead out of the folder.

    Raises:
        SpecError: Neither a file nor a layout of this name.
    """
    if text is None and not follow_links:
        return None

    if text is None:
        return io.LayoutSpec(follow_links=True)
    if Path(text).suffix in {".yaml", ".yml"}:
        chosen = config.load_spec(Path(text), io.LayoutChoice).layout
    else:
        chosen = config.parse_spec({"layout": text}, io.LayoutChoice, where="--layout").layout
    return chosen.model_copy(update={"follow_links": True}) if follow_links else chosen


def open_cohort(
    folder: Path,
    layout: str | None = None,
    register_to: "Modality | None" = None,
    scheme: str | None = None,
    *,
    allow_missing: bool = False,
    where: "Sequence[str] | None" = None,
) -> "Cohort":
    """Open the cohort of a folder, by its cohort.json or else by ingesting it, and select cases.

    Raises:
        SpecError: A layout, a contrast to register to, or another label scheme is given for a folder that is a
            cohort already.
        CohortError: No case fulfils the conditions.
    """
    from glioforge.cli.progress import TerminalProgress
    from glioforge.io import ingest

    spec = layout_from(layout)
    if not (folder / "cohort.json").is_file():
        return ingest(
            folder,
            spec,
            require=() if allow_missing else None,
            register_to=register_to,
            scheme=scheme,
            where=where or (),
            progress=TerminalProgress(),
        )
    cohort = core.select_cases(io.read_cohort(folder), where or ())
    other = scheme if scheme and core.scheme_named(scheme) != cohort.file_scheme else None
    given = {"--layout": layout, "--register-to": register_to, "--scheme": other}
    useless = [name for name, value in given.items() if value is not None]
    if useless:
        raise core.SpecError(
            f"{' and '.join(useless)} for a folder that holds a cohort.json, which says how its scans are read",
            "a folder of scans, or the cohort without the option",
            "leave the option out, or ingest the scans again with it into another folder",
            folder,
        )
    return cohort


def describe(cohort: "Cohort") -> str:
    """A few lines: what the cohort holds, and the scheme of its label files and why; the log has its fingerprint."""
    common = cohort.modalities
    some = core.in_standard_order({m for ref in cohort for m in ref.images} - set(common))
    contrasts = ", ".join([*(m.title for m in common), *(f"{m.title} in some cases" for m in some)])
    files = f"\nlabel files: {cohort.source}" if cohort.source else ""
    _LOG.debug("fingerprint of %s: %s", cohort.name, cohort.fingerprint)
    images = contrasts or ("" if _only_maps(cohort) else "no images")
    labels = "no labels" if _without_labels(cohort) else f"labels {cohort.scheme.name}"
    parts = [_held(cohort), images, labels]
    return f"{cohort.name}: {'; '.join(part for part in parts if part)}{files}"


def _only_maps(cohort: "Cohort") -> bool:
    """Whether the cohort holds synthetic label maps alone."""
    return len(cohort) > 0 and all(ref.lineage.is_synthetic and not ref.images for ref in cohort)


def _without_labels(cohort: "Cohort") -> bool:
    """Whether the cohort holds synthetic images alone."""
    return len(cohort) > 0 and all(ref.lineage.is_synthetic and ref.labels is None for ref in cohort)


def _held(cohort: "Cohort") -> str:
    """Cases of each kind: of how many subjects, and with whose data synthetic ones were made."""
    parts = []
    for kind in sorted({ref.lineage.kind for ref in cohort}):
        refs = [ref for ref in cohort if ref.lineage.kind == kind]
        made = refs[0].lineage.is_synthetic
        maps = made and not any(ref.images for ref in refs)
        way = "edited" if any(ref.lineage.parents for ref in refs) else "sampled"
        people = {name for ref in refs for name in (ref.lineage.subjects if made else (ref.subject_id,))}
        parts.append(
            f"{core.counted(len(refs), f'{way} label map' if maps else f'{kind} case')} "
            f"{'from' if maps else 'made with data of' if made else 'of'} {core.counted(len(people), 'subject')}"
        )
    return " and ".join(parts) or "no cases"


def named_cohorts(real: Path | None, synthetic: list[str]) -> dict[str, "Cohort"]:
    """Open the cohorts of a reading study: of real cases, and those named as NAME=COHORT."""
    cohorts = {} if real is None else {"real": open_cohort(real)}
    for text in synthetic:
        name, equals, place = text.partition("=")
        if not equals or not name.strip() or not place or name.strip() in {*cohorts, "real", "phantom", "all"}:
            raise core.SpecError(
                f"--synthetic {text!r}", "the form NAME=COHORT, each name once and none of real, phantom and all"
            )
        cohorts[name.strip()] = open_cohort(Path(place))
    return cohorts
