"""`glioforge train`, `segment` and `evaluate`: models, the masks that they give, and how good masks are."""

from pathlib import Path
from typing import Annotated

import typer

from glioforge import compute, config, core, io, runs, segmentation
from glioforge.cli.cohorts import describe, open_cohort
from glioforge.cli.options import (
    CohortFolder,
    Device,
    DryRun,
    Layout,
    MaskScheme,
    Out,
    Precision,
    ScanFolder,
    Set,
    Threads,
    Where,
    Workers,
    WrittenScheme,
    accelerator_of,
    accelerator_sets,
)
from glioforge.cli.progress import TerminalProgress

EXAMPLES = {
    "train": (
        "glioforge train spade.yaml prepared --out synthesizer --estimate",
        "glioforge train spade.yaml prepared --out synthesizer",
        "glioforge train unet.yaml prepared --where grade=HGG --out segmenter",
    ),
    "segment": ("glioforge segment segmenter scans --out masks",),
    "evaluate": (
        "glioforge evaluate masks scans --out scores",
        "glioforge evaluate masks scans --where subject=s003,s007 --out scores",
    ),
}


def train(
    spec: Annotated[
        Path,
        typer.Argument(
            help="YAML file of one line or more, such as `synthesizer: {kind: spade}`, `sampler: {kind: label_vae}` or "
            "`segmenter: {kind: unet}`; `glioforge methods` lists the kinds.",
            metavar="YAML",
        ),
    ],
    cohort: CohortFolder,
    out: Out,
    where: Where = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    overrides: Set = None,
    dry_run: DryRun = False,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Measure parameters, memory and time with a few steps and stop; writes nothing."
        ),
    ] = False,
) -> None:
    """Train a synthesizer, a sampler or a segmenter; repeat the command to resume."""
    settings = config.load_spec(
        spec, runs.TrainingRunSpec, [*(overrides or ()), *accelerator_sets(device, precision, threads)]
    )
    cases = core.select_cases(io.read_cohort(cohort), where or ())
    if note := runs.preparation_note(cases, settings):
        typer.echo(f"warning: {note}", err=True)
    if dry_run:
        runs.require_trainable(settings, cases, out)
        typer.echo(config.resolved_yaml(runs.with_own_budget(settings)))
        return
    if estimate:
        found = runs.estimate_training(cases, settings)
        typer.echo("\n".join(found.lines()) if found else "no network: trained in seconds, in little memory")
        return
    typer.echo(runs.run_training(cases, settings, out, progress=TerminalProgress()))


def segment(
    run: Annotated[Path, typer.Argument(help="Folder of a trained segmenter, written by train.", metavar="MODEL")],
    folder: ScanFolder,
    out: Out,
    layout: Layout = None,
    where: Where = None,
    scheme: WrittenScheme = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the probability of each class as float NIfTI.")
    ] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Write a cohort of label maps with normal tissue in place of masks: tissue from the segmenter, tumour "
            "from the cases' own labels.",
        ),
    ] = False,
    mask_tumour: Annotated[
        bool,
        typer.Option(
            "--mask-tumour",
            help="With --complete: show the segmenter the mean intensity of normal brain in place of the tumour.",
        ),
    ] = False,
    workers: Workers = 1,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Segment the tumours of a cohort or of scans: one mask per case, on the grid of its scans.

    Worker processes share the preparation of scans; the segmenter runs in the main process.
    """
    if complete and probabilities:
        raise core.SpecError("--complete with --probabilities", "one of them", "give two commands with two folders")
    if mask_tumour and not complete:
        raise core.SpecError("--mask-tumour without --complete", "both", "leave it out: masks need tumours")
    io.require_kind(run, io.SEGMENTER)
    cohort = open_cohort(folder, layout, where=where)
    accelerator = accelerator_of(device, precision, threads)
    if complete:
        made = runs.complete_folder(
            cohort,
            run,
            out,
            mask_tumour=mask_tumour,
            parallel=compute.ParallelSpec(workers=workers),
            accelerator=accelerator,
            progress=TerminalProgress(),
        )
        typer.echo(f"{describe(made)}\nhow plausible the tissue is: {out / 'results.csv'}, {out / 'tissue.json'}")
        return
    masks = runs.segment_folder(
        cohort,
        run,
        out,
        parallel=compute.ParallelSpec(workers=workers),
        progress=TerminalProgress(),
        probabilities=probabilities,
        scheme=core.scheme_named(scheme) if scheme else None,
        accelerator=accelerator,
    )
    typer.echo(
        f"{core.counted(len(masks), 'mask')} in {out}, labels {core.described(segmentation.written_scheme(out))}"
    )


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of NIfTI masks, named by case.", metavar="MASKS")],
    cohort: ScanFolder,
    out: Out,
    layout: Layout = None,
    where: Where = None,
    scheme: MaskScheme = None,
    truth_scheme: Annotated[
        str | None,
        typer.Option(
            "--truth-scheme",
            help="How to read the label files in FOLDER, if it holds scans: a label scheme.",
            metavar="SCHEME",
            show_default="detected",
        ),
    ] = None,
) -> None:
    """Compute Dice, HD95, sensitivity, precision and other metrics per case and region, and write a report.

    Metrics of empty masks have stated values, which the results mark; none is undefined.
    """
    io.require_kind(predictions, io.MASKS)
    io.require_free(out, "evaluate")
    truth = open_cohort(cohort, layout, scheme=truth_scheme, where=where)
    page = runs.evaluate_folder(truth, predictions, out, scheme=scheme, progress=TerminalProgress())
    typer.echo(f"results and report: {page.resolve()}")
