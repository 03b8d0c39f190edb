"""Measure how finely the package is cut: files, lines, imports between its modules, comments, names to know for a part.

Writes `benchmarks/results/package_size.json`.

    python benchmarks/package_size.py
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path

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


def main() -> None:
    """Measure the package and each of its rooms."""
    rooms = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
    values = {
        "package": measure(SOURCE.rglob("*.py")),
        "rooms": {room.name: measure(room.rglob("*.py")) for room in rooms},
        "names_to_know": {part: names_to_know(ROOT / "docs" / "how-to" / name) for part, name in GUIDES.items()},
    }
    path = ROOT / "benchmarks" / "results" / "package_size.json"
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"package": values["package"], "names_to_know": values["names_to_know"]}, indent=2))


if __name__ == "__main__":
    main()
