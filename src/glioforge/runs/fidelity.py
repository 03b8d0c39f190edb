"""Compare a synthetic cohort with a real one: every number at equal counts, next to what two real halves give.

Real subjects who contributed to the synthetic cases are left out of the comparison,
because a generator that remembers them would look best; they stay among those in
whom the nearest neighbour of each synthetic case is sought.
"""

from pathlib import Path
from typing import Any, Final

from glioforge.compute import ParallelSpec
from glioforge.core import Cohort, CohortError, LeakageError, Progress, Silent, listed, preparations_of
from glioforge.features import Space
from glioforge.io import Step, write_atomically, write_csv, write_json
from glioforge.metrics import FEWEST_HALVED
from glioforge.report import render
from glioforge.runs.fidelity_numbers import Compared, FidelitySpec, compared
from glioforge.runs.fidelity_page import fidelity_page

PAGE: Final = "fidelity.html"
FIDELITY_JSON: Final = "fidelity.json"
CSV: Final = "fidelity.csv"


def fidelity(  # noqa: PLR0913 - two cohorts, place and settings, by keyword
    synthetic: Cohort,
    real: Cohort,
    out: Path,
    *,
    spec: FidelitySpec | None = None,
    encoder: Cohort | None = None,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Path:
    """Compare two cohorts and write `fidelity.csv`, `fidelity.json` and a page.

    Args:
        synthetic: Prepared cases; any cohort may stand here, also a real one.
        real: Prepared cases to compare with.
        out: Folder of the result; what was measured of cases is kept there, so that a stopped run goes on.
        spec: Settings.
        encoder: Training subjects of the encoder, if `features` name it; none of them may be compared.
        parallel: How cases are distributed over processes; one unless given.
        progress: Where to show progress.

    Returns:
        The page, one HTML file.

    Raises:
        CohortError: A cohort is empty or has too few subjects, no contrast is common, or the two were prepared
            differently.
        DependencyError: `features` name radiomics and fastrad is not installed.
        GeometryError: Grids differ.
        LeakageError: Too few real subjects are left who did not contribute to the synthetic cases, or the encoder was
            trained on compared subjects.
        OutputError: The folder holds the result of other cohorts or settings.
    """
    spec, progress = spec or FidelitySpec(), progress or Silent()
    require_comparable(synthetic, real)
    key = {
        "verb": "fidelity",
        "synthetic": synthetic.fingerprint,
        "real": real.fingerprint,
        "encoder": encoder.fingerprint if encoder else "",
        "spec": spec.model_dump(mode="json"),
    }
    step = Step(out, key, writes=(CSV, FIDELITY_JSON, PAGE))
    if step.done and (out / PAGE).exists():
        return out / PAGE
    used = unseen(synthetic, real, training_subjects=spec.training_subjects)
    with step:
        spaces = spaces_of(spec, (synthetic, used), encoder, out, progress)
        found = compared(
            synthetic, real, out, used=used, spaces=spaces, spec=spec, parallel=parallel, progress=progress
        )
        rows = [number.to_json() for number in found.numbers]
        write_csv(out / CSV, list(rows[0]), [{name: str(value) for name, value in row.items()} for row in rows])
        write_json(out / FIDELITY_JSON, summary(found, spec, synthetic, real))
        write_atomically(out / PAGE, render(fidelity_page(found, spec, synthetic, real)).encode())
        if not step.done:
            step.finish({"numbers": len(rows)})
    return out / PAGE


def require_comparable(synthetic: Cohort, real: Cohort) -> None:
    """Refuse cohorts that are empty, in different schemes, without common contrast, or prepared differently.

    Raises:
        CohortError: Says which.
    """
    for cohort in (synthetic, real):
        if not len(cohort) or not cohort.scheme.is_complete:
            raise CohortError(
                f"{len(cohort)} cases with labels {cohort.scheme.name}",
                "prepared cases with complete labels",
                "run: glioforge prepare",
                cohort.where,
            )
    if synthetic.scheme != real.scheme or not set(synthetic.modalities) & set(real.modalities):
        raise CohortError(
            f"labels {synthetic.scheme.name} and {real.scheme.name}, contrasts {listed(synthetic.modalities)} and "
            f"{listed(real.modalities)}",
            "the same labels, and a contrast that all cases have",
            "prepare both cohorts with the same settings",
            synthetic.where,
        )
    known = [preparations_of(cohort) for cohort in (synthetic, real)]
    if known[0] and known[1] and set(known[0]) != set(known[1]):
        raise CohortError(
            "cohorts prepared with different settings",
            "the same preparation, without which distances measure the preparation",
            "prepare both with the same --spec",
            synthetic.where,
        )


def unseen(synthetic: Cohort, real: Cohort, *, training_subjects: bool) -> Cohort:
    """Return the real cases to compare with: those of subjects who did not contribute to the synthetic cases, or all.

    Raises:
        LeakageError: Too few subjects are left.
    """
    behind = tuple(sorted(synthetic.subjects_behind & set(real.subject_ids)))
    if not behind or training_subjects:
        return real
    left = real.of_subjects(set(real.subject_ids) - set(behind))
    if len(left.subject_ids) < 2 * FEWEST_HALVED:
        raise LeakageError(
            f"{len(left.subject_ids)} real subjects who did not contribute to the synthetic cases ({len(behind)} do)",
            f"at least {2 * FEWEST_HALVED}",
            "name a cohort of held-out subjects; --training-subjects compares with the others too, and says so",
            real.where,
        )
    return left


def spaces_of(
    spec: FidelitySpec, cohorts: tuple[Cohort, Cohort], encoder: Cohort | None, out: Path, progress: Progress
) -> tuple[Space, ...]:
    """Return the extractors, the encoder trained if it is asked for.

    Raises:
        CohortError: The encoder has no cohort to learn from, or one is given that nothing uses.
        LeakageError: The encoder was trained on compared subjects.
    """
    from glioforge.features import Radiomics, RandomConvolution, require_other_subjects, train_encoder

    if ("encoder" in spec.features) != (encoder is not None):
        found = "an encoder without training subjects" if encoder is None else "training subjects of no encoder"
        raise CohortError(found, "both or neither", "give --features encoder and --encoder COHORT together")
    spaces: list[Space] = []
    for name in dict.fromkeys(spec.features):
        if name == "encoder" and encoder is not None:
            for cohort in cohorts:
                require_other_subjects(encoder.lineage.subjects, cohort)
            spaces.append(
                train_encoder(encoder, out / "encoder", steps=spec.encoder_steps, seed=spec.seed, progress=progress)
            )
        else:
            spaces.append(Radiomics() if name == "radiomics" else RandomConvolution())
    return tuple(spaces)


def summary(found: Compared, spec: FidelitySpec, synthetic: Cohort, real: Cohort) -> dict[str, Any]:
    """All numbers and the protocol, as plain values for JSON."""
    return {
        "synthetic": {"name": synthetic.name, "cases": len(found.made), "fingerprint": synthetic.fingerprint},
        "real": {"name": real.name, "cases": len(found.real), "fingerprint": real.fingerprint},
        "subjects_behind_the_synthetic_cases": list(found.behind),
        "compared_with_training_subjects": bool(found.behind and spec.training_subjects),
        "subjects_a_side": found.numbers[0].number.subjects,
        "contrasts": [str(m) for m in found.modalities],
        "preparation": sorted({*preparations_of(synthetic), *preparations_of(real)}),
        "extractors": [space.extractor.to_json() for space in found.spaces],
        "spec": spec.model_dump(mode="json"),
        "numbers": [number.to_json() for number in found.numbers],
        "two_sample_tests": {
            name: {**vars(test), "p_holm": found.adjusted[name]} for name, test in found.tests.items()
        },
        "reconstruction": [pair.to_json() for pair in found.pairs],
        "neighbours": {made.case_id: real_ref.case_id for made, real_ref in found.neighbours},
    }
