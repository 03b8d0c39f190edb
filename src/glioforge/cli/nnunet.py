"""`glioforge nnunet`: train nnU-Net through its own commands, or only write its raw data set."""

from typing import Annotated

import typer

from glioforge.cli.options import Device, DryRun, Layout, Out, ScanFolder, Scheme, Seed, Set, Where

EXAMPLES = ("glioforge nnunet prepared --out nnunet --device cuda",)


def nnunet(
    folder: ScanFolder,
    out: Out,
    test: Annotated[
        float,
        typer.Option("--test", help="Share of subjects held out for testing.", metavar="SHARE", min=0, max=0.9),
    ] = 0.2,
    export: Annotated[
        bool,
        typer.Option(
            "--export",
            help="Only write the raw data set and the folds; `glioforge export` also takes synthetic cases.",
        ),
    ] = False,
    layout: Layout = None,
    where: Where = None,
    scheme: Scheme = None,
    seed: Seed = 1,
    device: Device = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Train nnU-Net 2 on a cohort; `glioforge segment` then predicts with it.

    Needs nnU-Net's own commands, which the extra `nnunet` of Glioforge installs.
    """
    from glioforge.cli.cohorts import open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.config.load import parse_spec, resolved_yaml, with_overrides
    from glioforge.runs.nnunet import export_nnunet, require_divisible, run_nnunet
    from glioforge.segmentation.nnunet import NnunetRunSpec

    spec = parse_spec(
        with_overrides({}, [*(overrides or ()), *([] if device is None else [f"device={device}"])]),
        NnunetRunSpec,
        where="--set",
    )
    cohort = open_cohort(folder, layout, scheme=scheme, where=where)
    if dry_run:
        require_divisible(cohort, spec, test=test, seed=seed)
        typer.echo(resolved_yaml(spec))
        return
    run = export_nnunet if export else run_nnunet
    typer.echo(run(cohort, spec, out, test=test, seed=seed, progress=TerminalProgress()))
