"""Toy heads written in every dataset layout: four contrasts and a three-part lesion, small and brain-like."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.rng import stream
from glioforge.core.schemes import (
    BRATS2013,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    BRATS2024_PED,
    DECATHLON,
    GUO2020,
)
from glioforge.core.volume import Modality, Volume
from toy_cohort import toy_labels

FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
MEANS = {
    Modality.T1: (0, 500, 480, 560, 700, 560, 250),
    Modality.T1CE: (0, 500, 490, 950, 710, 570, 260),
    Modality.T2: (0, 700, 780, 660, 380, 520, 980),
    Modality.FLAIR: (0, 640, 900, 760, 420, 520, 150),
    Modality.APTW: (0, 560, 600, 900, 500, 500, 400),
}
"""Intensity of each class of the complete scheme."""

Heads = dict[str, int]


def head(seed: int, modalities: tuple[Modality, ...] = FOUR) -> tuple[dict[Modality, Volume], LabelMap]:
    """Images and complete labels of one toy head."""
    labels = toy_labels(seed)
    rng = stream(seed, "layout images")
    images = {}
    for modality in modalities:
        noisy = np.array(MEANS[modality])[labels.voxels] + rng.normal(0, 12, labels.voxels.shape)
        voxels = np.where(labels.voxels > 0, np.rint(noisy), 0).astype(np.float32)
        images[modality] = Volume(voxels, labels.geometry, modality)
    return images, labels


def tumour(labels: LabelMap, scheme: LabelScheme) -> LabelMap:
    """The tumour of a complete map in another scheme; finer labels get a part of the coarse one."""
    names = {"necrotic_core": ("necrotic_core", "non_enhancing", "tumour"), "enhancing": ("enhancing", "tumour")}
    voxels = np.zeros_like(labels.voxels)
    for name in ("necrotic_core", "oedema", "enhancing"):
        target = next(n for n in names.get(name, (name,)) if n in scheme.labels)
        voxels[labels.region(name)] = scheme.value(target)
    for part in ("necrosis", "cystic", "resection_cavity"):
        if part in scheme.labels:
            core = np.argwhere(labels.region("necrotic_core"))
            voxels[tuple(core[: len(core) // 2].T)] = scheme.value(part)
    if "brain" in scheme.labels:
        voxels[(labels.voxels > 0) & (voxels == 0)] = scheme.value("brain")
    return LabelMap(voxels, labels.geometry, scheme)


def write_metaimage(path: Path, voxels: np.ndarray, geometry: Geometry, *, packed: bool = True, **changes: str) -> None:
    """One `.mha` file, or `.mhd` with its data beside it."""
    affine = np.diag([-1.0, -1, 1, 1]) @ geometry.affine
    spacing = np.array(geometry.spacing)
    types = {"uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT", "float32": "MET_FLOAT"}
    data = voxels.tobytes(order="F")
    local = path.suffix == ".mha"
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(packed),
        "TransformMatrix": " ".join(f"{n:.12g}" for n in (affine[:3, :3] / spacing).T.ravel()),
        "Offset": " ".join(f"{n:.12g}" for n in affine[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": " ".join(f"{n:.12g}" for n in spacing),
        "DimSize": " ".join(map(str, voxels.shape)),
        "ElementType": types.get(voxels.dtype.name, "MET_OTHER"),
        "ElementDataFile": "LOCAL" if local else f"{path.stem}.zraw",
    } | changes
    header["ElementDataFile"] = header.pop("ElementDataFile")
    text = "".join(f"{key} = {value}\n" for key, value in header.items() if value != "absent")
    stored = zlib.compress(data) if packed else data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() + (stored if local else b""))
    if not local:
        (path.parent / f"{path.stem}.zraw").write_bytes(stored)


def _save(path: Path, voxels: np.ndarray, geometry: Geometry) -> None:
    """One image file of the kind that its name says."""
    if path.suffix == ".mha":
        write_metaimage(path, voxels, geometry)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, geometry.affine)
    image.set_qform(geometry.affine, 1)
    image.set_sform(geometry.affine, 1)
    image.to_filename(path)


def _write(paths: dict[str, Path], seed: int, scheme: LabelScheme) -> None:
    """Files of one head, by contrast or `labels`."""
    images, labels = head(seed, tuple(m for m in Modality if m in paths))
    for modality, volume in images.items():
        _save(paths[modality], volume.voxels.astype(np.int16), volume.geometry)
    if "labels" in paths:
        _save(paths["labels"], tumour(labels, scheme).voxels, labels.geometry)


def brats(folder: Path, heads: Heads) -> None:
    """BraTS 2020."""
    for name, seed in heads.items():
        tokens = {"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair", "labels": "seg"}
        _write({k: folder / name / f"{name}_{t}.nii.gz" for k, t in tokens.items()}, seed, BRATS2017)


def brats2023(folder: Path, heads: Heads, scheme: LabelScheme = BRATS2023) -> None:
    """BraTS 2023 and later."""
    for name, seed in heads.items():
        tokens = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f", "labels": "seg"}
        _write({k: folder / name / f"{name}-{t}.nii.gz" for k, t in tokens.items()}, seed, scheme)


def post_treatment(folder: Path, heads: Heads) -> None:
    """BraTS 2024, glioma after treatment."""
    brats2023(folder, heads, BRATS2024)


def paediatric(folder: Path, heads: Heads) -> None:
    """BraTS 2024, children."""
    brats2023(folder, heads, BRATS2024_PED)


def virtual_skeleton(folder: Path, heads: Heads) -> None:
    """BRATS 2013 and 2015."""
    for name, seed in heads.items():
        kinds = {"t1": "XX.O.MR_T1", "t1ce": "XX.O.MR_T1c", "t2": "XX.O.MR_T2", "flair": "XX.O.MR_Flair"}
        stems = {k: f"VSD.Brain.{kind}.{seed}{n}" for n, (k, kind) in enumerate(kinds.items())}
        stems["labels"] = f"VSD.Brain_3more.XX.O.OT.{seed}9"
        _write({k: folder / name / s / f"{s}.mha" for k, s in stems.items()}, seed, BRATS2013)


def decathlon(folder: Path, heads: Heads) -> None:
    """Medical Segmentation Decathlon, task 1."""
    order = (Modality.FLAIR, Modality.T1, Modality.T1CE, Modality.T2)
    for name, seed in heads.items():
        images, labels = head(seed)
        stack = np.stack([images[m].voxels for m in order], axis=-1)
        _save(folder / "imagesTr" / f"{name}.nii.gz", stack, labels.geometry)
        _save(folder / "labelsTr" / f"{name}.nii.gz", tumour(labels, DECATHLON).voxels, labels.geometry)
    contrasts = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
    values = {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"}
    _write_json(folder, {"name": "BRATS", "modality": contrasts, "labels": values})


def nnunet(folder: Path, heads: Heads) -> None:
    """nnU-Net raw, with regions."""
    for name, seed in heads.items():
        paths = {m: folder / "imagesTr" / f"{name}_{n:04d}.nii.gz" for n, m in enumerate(FOUR)}
        _write({**paths, "labels": folder / "labelsTr" / f"{name}.nii.gz"}, seed, DECATHLON)
    names = {str(n): title for n, title in enumerate(("T1", "T1ce", "T2", "Flair"))}
    regions = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}
    _write_json(folder, {"channel_names": names, "labels": regions, "file_ending": ".nii.gz"})


def ucsf_pdgm(folder: Path, heads: Heads) -> None:
    """UCSF-PDGM with its table."""
    for name, seed in heads.items():
        tokens = {"t1": "T1", "t1ce": "T1c", "t2": "T2", "flair": "FLAIR", "labels": "tumor_segmentation"}
        _write({k: folder / f"{name}_nifti" / f"{name}_{t}.nii.gz" for k, t in tokens.items()}, seed, BRATS2017)
    (folder / "UCSF-PDGM-metadata_v2.csv").write_text("ID,Sex,WHO CNS Grade\nUCSF-PDGM-004,M,4\nodd,F,2\n")


def upenn_gbm(folder: Path, heads: Heads) -> None:
    """UPENN-GBM; labels of even seeds were corrected by hand."""
    for name, seed in heads.items():
        tokens = {"t1": "T1", "t1ce": "T1GD", "t2": "T2", "flair": "FLAIR"}
        paths = {k: folder / "images_structural" / name / f"{name}_{t}.nii.gz" for k, t in tokens.items()}
        place = ("automated_segm", "automated_approx_segm") if seed % 2 else ("images_segm", "segm")
        paths["labels"] = folder / place[0] / f"{name}_{place[1]}.nii.gz"
        _write(paths, seed, BRATS2017)


def bids(folder: Path, heads: Heads) -> None:
    """BIDS with sessions, and labels in a derivative."""
    for name, seed in heads.items():
        subject, _, session = name.partition("_")
        tokens = {"t1": "T1w", "t1ce": "ce-gadolinium_T1w", "t2": "T2w", "flair": "FLAIR"}
        paths = {k: folder / subject / session / "anat" / f"{name}_{t}.nii.gz" for k, t in tokens.items()}
        derived = folder / "derivatives" / "experts" / subject / session / "anat"
        paths["labels"] = derived / f"{name}_label-tumor_dseg.nii.gz"
        _write(paths, seed, BRATS2017)


def guo(folder: Path, heads: Heads) -> None:
    """Five classes with an APTw image, in the flat layout."""
    for name, seed in heads.items():
        paths = {m: folder / name / f"{m}.nii.gz" for m in Modality}
        _write({**paths, "labels": folder / name / "seg.nii.gz"}, seed, GUO2020)


def _write_json(folder: Path, values: dict[str, object]) -> None:
    """The table of a data set."""
    (folder / "dataset.json").write_text(json.dumps(values), encoding="utf-8")


LAYOUTS: dict[str, tuple[Callable[[Path, Heads], None], Heads, str, str]] = {
    "brats": (brats, {"BraTS20_Training_001": 1, "BraTS20_Training_002": 2}, "brats", "brats2017"),
    "brats2023": (brats2023, {"BraTS-GLI-00005-000": 1, "BraTS-GLI-00005-100": 2}, "brats", "brats2023"),
    "metastases": (brats2023, {"BraTS-MET-00001-000": 1, "BraTS-MET-00002-000": 2}, "brats", "brats2023"),
    "post_treatment": (post_treatment, {"BraTS-GLI-02405-100": 1, "BraTS-GLI-02405-101": 2}, "brats", "brats2024"),
    "paediatric": (paediatric, {"BraTS-PED-00001-000": 1, "BraTS-PED-00002-000": 2}, "brats", "brats2024_ped"),
    "brats2013": (virtual_skeleton, {"HG/0001": 1, "LG/0001": 2}, "virtual_skeleton", "brats2013"),
    "brats2015": (
        virtual_skeleton,
        {"HGG/brats_tcia_pat123_0456": 1, "HGG/brats_tcia_pat123_0478": 2},
        "virtual_skeleton",
        "brats2013",
    ),
    "decathlon": (decathlon, {"BRATS_001": 1, "BRATS_002": 2}, "decathlon", "decathlon"),
    "nnunet": (nnunet, {"BRATS_001": 1, "BRATS_002": 2}, "nnunet", "decathlon"),
    "ucsf_pdgm": (ucsf_pdgm, {"UCSF-PDGM-0004": 1, "UCSF-PDGM-0429_FU003d": 2}, "ucsf_pdgm", "brats2017"),
    "upenn_gbm": (upenn_gbm, {"UPENN-GBM-00001_11": 1, "UPENN-GBM-00001_21": 2}, "upenn_gbm", "brats2017"),
    "bids": (bids, {"sub-01_ses-M00": 1, "sub-01_ses-M12": 2}, "bids", "brats2017"),
}
"""Writer, heads with their seeds, kind of layout and scheme of each data set."""
