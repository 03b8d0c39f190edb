"""`glioforge methods`: everything that a YAML can choose by `kind`."""

from typing import Annotated

import typer

EXAMPLES = ("glioforge methods",)


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List synthesizers, samplers, segmenters, edits, filters, layouts, recipes and label schemes, and presets."""
    import json

    from glioforge.runs.catalogue import catalogue

    entries = catalogue()
    if as_json:
        typer.echo(json.dumps([entry.to_json() for entry in entries], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("family", "kind", "presets", "what it is", title="Methods")
    for entry in entries:
        table.add_row(entry.family, entry.kind, ", ".join(entry.presets), entry.summary)
    Console().print(table)
