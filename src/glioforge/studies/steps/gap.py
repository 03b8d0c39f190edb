"""Measure the domain gap: how far the synthetic cases that arms are trained on are from the test subjects' scans."""

from typing import Any, Final

from glioforge.features import RandomConvolution
from glioforge.metrics import FEWEST_HALVED, halves, measure
from glioforge.runs import DESCRIBED, describe_cases, table_of, unit_of
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE

MOST: Final = 120
"""Synthetic cases that are described; more are left out, evenly."""


def measure_gap(context: Context, *, draws: int, seed: int) -> Record:
    """Compare the synthetic cases that passed the filters with the test subjects, at equal counts and with floors.

    Args:
        context: The task; reads the test side, and needs cases and their screening.
        draws: Random halves of each number.
        seed: Of the draws.

    Returns:
        A record whose `details` hold the numbers as plain values; or is left out, with the reason, where subjects are
        too few.
    """
    screened, made, test = context.need("synthetic"), cohort_in(context.place("cases") / MADE), context.cohort("test")
    kept = set(screened.made["kept"]) if screened else {ref.case_id for ref in made}
    cases = [ref for ref in made if ref.case_id in kept]
    refs = [*cases[:: max(1, -(-len(cases) // MOST))], *test]
    count = len(refs) - len(test)
    units = [unit_of(ref) for ref in refs]
    few = min(len(set(units[:count])), len(test.subject_ids))
    if few < 2 * FEWEST_HALVED:
        return context.record(left_out=f"{few} subjects of synthetic cases or tests, {2 * FEWEST_HALVED} at least")
    space = RandomConvolution()
    folder, progress = context.folder / DESCRIBED, context.progress
    described = describe_cases(refs, (space,), test.modalities, folder, progress=progress)
    drawn = halves(units[:count], units[count:], draws=draws, seed=seed)
    numbers = measure(table_of(described, count, [space.extractor.name]), drawn, seed=seed)
    details: dict[str, Any] = {
        "extractor": space.extractor.to_json(),
        "numbers": [number.to_json() for number in numbers],
    }
    return context.record(details=details)
