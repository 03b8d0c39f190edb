"""Measure how finely the package is cut: files, lines, imports between its modules, comments, names to know for a part.

Writes `benchmarks/results/package_size.json`; with a commit, the same code measures the package as it was then, and
keeps that as `before`.

    python benchmarks/package_size.py [COMMIT]
"""

import ast
import io
import json
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "glioforge"
GUIDES = {
    "edit": "add-an-edit.md",
    "filter": "add-a-filter.md",
    "layout": "add-a-layout.md",
    "method": "add-a-method.md",
    "metric": "add-a-metric.md",
    "sampler": "add-a-sampler.md",
}
"""The guide to each kind of part, whose examples are whole files."""
FAMILIES = {
    "edit": "lesions/edits",
    "filter": "quality/filters",
    "layout": "io/layouts",
    "method": "synthesis/methods",
    "mixing": "mixing/methods",
    "question": "studies/questions",
    "sampler": "sampling/methods",
    "segmenter": "segmentation/methods",
}
"""Folder of each family of parts: a part is a file there, or a folder with a main file."""

_NO_PROSE = re.compile(r"#\s*(noqa|type:|pragma|ruff)")


def measure(files: Iterable[Path]) -> dict[str, float]:
    """Count files, lines, imports of the package's own modules and comments.

    Args:
        files: Python files.

    Returns:
        `files`, `lines`, `imports`, `imports_per_1000_lines` and `comments`; those for linters are not counted.
    """
    texts = [path.read_text(encoding="utf-8") for path in sorted(files)]
    lines = sum(len(text.splitlines()) for text in texts)
    imports = sum(len(imported(text)) for text in texts)
    return {
        "files": len(texts),
        "lines": lines,
        "imports": imports,
        "imports_per_1000_lines": round(1000 * imports / max(lines, 1), 1),
        "comments": sum(comments(text) for text in texts),
    }


def imported(text: str) -> list[list[str]]:
    """Names that each import of one of the package's own modules takes; `from glioforge import a, b` imports two."""
    tree = ast.walk(ast.parse(text))
    nodes = [node for node in tree if isinstance(node, ast.ImportFrom)]
    taken = [(node.module or "", [alias.name for alias in node.names]) for node in nodes]
    of_modules = [names for module, names in taken if module.startswith("glioforge.")]
    return of_modules + [[name] for module, names in taken if module == "glioforge" for name in names]


def comments(text: str) -> int:
    """Count comments that are for people."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT and not _NO_PROSE.match(token.string) for token in tokens)


def names_to_know(guide: Path) -> int:
    """Count the package's names that each complete example of a guide imports; the largest is the number to know."""
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    return max(sum(map(len, imported(block))) for block in blocks)


def names_of_parts(source: Path) -> dict[str, dict[str, float]]:
    """Count the package's names that the parts of each family import.

    Args:
        source: Folder of the package.

    Returns:
        Number of parts, median and maximum of their names, by family; a family that is not there is left out.
    """
    counts = {family: names_by_part(source / folder) for family, folder in FAMILIES.items()}
    return {
        family: {"parts": len(of), "median": statistics.median(of.values()), "max": max(of.values())}
        for family, of in counts.items()
        if of
    }


def names_by_part(folder: Path) -> dict[str, int]:
    """Count the package's names that each part of a family imports.

    A part in a folder of its own counts by its main file, without what that takes from the folder.
    """
    files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    parts = {(path.parent if path.parent != folder else path).stem: path for path in sorted(files)}
    parts.pop("__init__", None)
    return {name: _names(path, f"{folder.parent.name}.{folder.name}.{name}") for name, path in parts.items()}


def _names(path: Path, own: str) -> int:
    """Names that a file imports from the package outside its own folder."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    outside = [node for node in nodes if not (node.module or "").startswith(f"glioforge.{own}.")]
    return sum(len(node.names) for node in outside if (node.module or "").split(".")[0] == "glioforge")


def earlier(commit: str) -> dict[str, Any]:
    """Measure the package as it was at a commit."""
    command = ["git", "archive", commit, "src"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
        source = Path(folder) / "src" / "glioforge"
        return {
            "commit": commit,
            "package": measure(source.rglob("*.py")),
            "names_of_parts": names_of_parts(source),
        }


def main() -> None:
    """Measure the package and each of its rooms."""
    path = ROOT / "benchmarks" / "results" / "package_size.json"
    known = json.loads(path.read_text(encoding="utf-8")).get("before", {})
    rooms = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
    values = {
        "package": measure(SOURCE.rglob("*.py")),
        "rooms": {room.name: measure(room.rglob("*.py")) for room in rooms},
        "names_to_know": {part: names_to_know(ROOT / "docs" / "how-to" / name) for part, name in GUIDES.items()},
        "names_of_parts": names_of_parts(SOURCE),
        "before": earlier(sys.argv[1]) if len(sys.argv) > 1 else known,
    }
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    shown = ("package", "names_to_know", "names_of_parts", "before")
    print(json.dumps({name: values[name] for name in shown}, indent=2))


if __name__ == "__main__":
    main()
