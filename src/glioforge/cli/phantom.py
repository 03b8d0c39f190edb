"""`glioforge phantom`: computed scans in BraTS layout."""

from typing import Annotated

import typer

from glioforge.cli.options import DryRun, Out, Seed, Set, Workers

EXAMPLES = ("glioforge phantom --out scans --cases 20",)


def phantom(
    out: Out,
    cases: Annotated[int, typer.Option("--cases", help="Number of subjects.", min=1, metavar="N")] = 20,
    seed: Seed = 7,
    workers: Workers = 1,
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Also write tissue maps and noise-free images to the folder OUT-truth."),
    ] = False,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Compute phantoms: brain-tumour MRI with labels in BraTS layout, without any patient data."""
    from glioforge.cli.progress import TerminalProgress
    from glioforge.compute import ParallelSpec
    from glioforge.config import parse_spec, resolved_yaml, with_overrides
    from glioforge.core import BRATS2017, counted, described
    from glioforge.data import PhantomSpec, count_phantoms, require_phantoms_fit, write_phantom_cohort

    spec = parse_spec(with_overrides({}, overrides or ()), PhantomSpec, where="--set")
    if dry_run:
        require_phantoms_fit(out, cases=cases, spec=spec, truth=truth, seed=seed)
        typer.echo(resolved_yaml(spec))
        return
    folders = write_phantom_cohort(
        out,
        cases=cases,
        seed=seed,
        spec=spec,
        truth=truth,
        parallel=ParallelSpec(workers=workers),
        progress=TerminalProgress(),
    )
    held = count_phantoms(out)
    more = f" ({len(folders)} asked for)" if held > len(folders) else ""
    typer.echo(f"{counted(held, 'phantom case')} in {out}{more}, labels {described(BRATS2017)}")
