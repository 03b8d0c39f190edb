"""`glioforge nnunet`: train nnU-Net on a cohort by its own commands, or only write its raw data set."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge.cli.options import Device, DryRun, Out, Scheme, Seed, Set


def nnunet(
    folder: Annotated[Path, typer.Argument(help="A cohort folder or a folder of scans.", metavar="FOLDER")],
    out: Out,
    test: Annotated[float, typer.Option("--test", help="Share of subjects kept away, for later testing.")] = 0.2,
    export: Annotated[bool, typer.Option("--export", help="Only write the raw data set and the folds.")] = False,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout name or YAML for a raw folder.")] = None,
    scheme: Scheme = None,
    seed: Seed = 1,
    device: Device = None,
    overrides: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Train nnU-Net 2, which must be installed; `glioforge segment` then asks it for masks."""
    from glioforge.cli.cohorts import open_cohort
    from glioforge.cli.progress import TerminalProgress
    from glioforge.config.load import parse_spec, resolved_yaml, with_overrides
    from glioforge.segmentation.nnunet import NnunetRunSpec
    from glioforge.studies.nnunet_run import export_nnunet, run_nnunet

    spec = parse_spec(
        with_overrides({}, [*(overrides or ()), *([] if device is None else [f"device={device}"])]),
        NnunetRunSpec,
        where="--set",
    )
    if dry_run:
        typer.echo(resolved_yaml(spec))
        return
    run = export_nnunet if export else run_nnunet
    cohort = open_cohort(folder, layout, scheme=scheme)
    typer.echo(run(spec, cohort, folder, out, test=test, seed=seed, progress=TerminalProgress()))
