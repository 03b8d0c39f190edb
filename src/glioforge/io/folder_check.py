"""What is wrong with a folder's cases beside each other: ids that clash, files that lack, images twice."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from glioforge.core import CaseError, GlioforgeError, InputFileError, Modality, in_standard_order
from glioforge.io.case_check import CheckedCase
from glioforge.io.found_case import FoundCase

_LONGEST_ID = 120
Problem = tuple[str, GlioforgeError]
"""A case id and what is wrong with the case."""


def id_problems(found: Sequence[FoundCase]) -> list[Problem]:
    """Report ids that are used twice, differ by capitals or Unicode form only, or cannot be file names."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for case in found:
        name = case.case_id
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            problems.append(
                (
                    name,
                    CaseError(
                        f"a case id like that of {seen[folded]!r}",
                        "ids that differ",
                        "rename one folder; capitals, and composed or decomposed letters, do not tell two cases apart",
                    ),
                )
            )
        seen.setdefault(folded, name)
        if name.startswith(("-", ".")) or len(name) > _LONGEST_ID or not name.isprintable() or name != name.strip():
            problems.append(
                (
                    name,
                    CaseError(
                        f"case id {name!r}",
                        f"printable text of at most {_LONGEST_ID} characters that begins with a letter or digit",
                        "rename the folder or file",
                    ),
                )
            )
    return problems


def missing_files(found: Sequence[FoundCase], require: Iterable[Modality] | None) -> list[Problem]:
    """Contrasts and label maps that some cases lack."""
    wanted = in_standard_order({m for case in found for m in case.images} if require is None else set(require))
    labelled = any(case.labels for case in found)
    problems: list[Problem] = []
    for case in found:
        missing = [str(m) for m in wanted if m not in case.images]
        remedy = "add the files, leave the case out, or take incomplete cases with --allow-missing"
        if labelled and case.labels is None:
            missing.append("labels")
            remedy = "add the file, or leave unlabelled cases out (layout: {kind: ..., only_labelled: true})"
        if missing:
            problems.append((case.case_id, CaseError(f"no {', '.join(missing)} file", "one in every case", remedy)))
    return problems


def same_images(checked: Sequence[CheckedCase], root: Path) -> list[Problem]:
    """Return images with the same voxels, in two cases or under two contrasts.

    Args:
        checked: Cases of a folder.
        root: The folder, which the other file is named from.
    """
    places: defaultdict[str, list[tuple[CheckedCase, Modality]]] = defaultdict(list)
    for case in checked:
        for modality, voxels in case.images.items():
            places[voxels].append((case, modality))
    problems: list[Problem] = []
    for (first, modality), *others in places.values():
        for other, again in others:
            path = first.found.images[modality]
            below = path.relative_to(root) if path.is_relative_to(root) else path
            where = f"{first.found.case_id} {modality} ({below})"
            error = InputFileError(
                f"the same image as {where}",
                "every image once",
                "remove the copy: the same scan under two names leaks between training and test",
                other.found.images[again],
            )
            problems.append((other.found.case_id, error))
    return problems
