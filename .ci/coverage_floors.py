"""Compare branch coverage with the floor of each package.

Usage: `coverage_floors.py core:95 io:85 ...` after a test run with coverage.
A package of Glioforge without a floor is an error, so that none is forgotten.
"""

import io
import sys
from pathlib import Path

import coverage

ROOT = Path("src/glioforge")


def measured(package: str, data: coverage.Coverage) -> float:
    """Percentage of lines and branches of a package that tests reached; 100 for one without code."""
    pattern = str(ROOT.resolve() / package / "*")
    try:
        return data.report(include=[pattern], file=io.StringIO(), show_missing=False)
    except coverage.exceptions.NoDataError:
        return 100.0


def main(arguments: list[str]) -> int:
    """Print a line a package; return 1 if one is below its floor or has none."""
    data = coverage.Coverage()
    data.load()
    floors = {name: float(floor) for name, floor in (argument.split(":") for argument in arguments)}
    packages = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    forgotten = [name for name in packages if name not in floors]
    failed = [f"{name} has no floor" for name in forgotten]
    for name in packages:
        reached = measured(name, data)
        floor = floors.get(name, 100.0)
        print(f"{name:14} {reached:6.1f} %   floor {floor:.0f} %{'' if reached >= floor else '   BELOW'}")
        if reached < floor and name not in forgotten:
            failed.append(f"{name} reaches {reached:.1f} % of {floor:.0f} %")
    if failed:
        print("coverage: " + "; ".join(failed), file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
