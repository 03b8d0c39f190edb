"""Endings of image files, in small letters or capitals.

Conventions
-----------
ending    `.nii.gz`, `.nii`, `.mha`, `.mhd`, `.nrrd`, `.nhdr`, and `.hdr` with an `.img` of the same name
stem      a file name without its ending
"""

from pathlib import Path

SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".seg.nrrd", ".nrrd", ".nhdr", ".hdr")
"""Endings of the files that can be read."""


def is_image(path: Path) -> bool:
    """Tell by its name whether a file is an image.

    Example:
        >>> is_image(Path("T1.NII.GZ")), is_image(Path("T1.nii.gz.md5"))
        (True, False)
    """
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """File name without the ending of an image file; the whole name of other files.

    Example:
        >>> stem(Path("case/BraTS20_001_t1.nii.gz")), stem(Path("T1.NII"))
        ('BraTS20_001_t1', 'T1')
    """
    lower = path.name.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix) and len(lower) == len(path.name):
            return path.name[: -len(suffix)]
    return path.name
