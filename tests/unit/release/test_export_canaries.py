"""Nothing that an input's metadata say gets out: canaries are planted everywhere and looked for in every byte."""

import gzip
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.cohort import LabelSource
from glioforge.core.schemes import BRATS2017
from glioforge.io.ingestion import ingest
from glioforge.release.export import export_cohorts
from glioforge.release.plan import ExportSpec
from toy_release import cohort_of, prepared, scan, synthetic

CANARY = b"kanari"
NRRD = """NRRD0004
# kanari comment
type: float
dimension: 3
space: right-anterior-superior
sizes: 16 14 12
space directions: (10,0,0) (0,10,0) (0,0,10)
space origin: (-75,-65,-55)
kinds: domain domain domain
endian: little
encoding: raw
patient:=kanari
content: kanari

"""
METAIMAGE = """ObjectType = Image
NDims = 3
Comment = kanari
Name = kanari
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = -1 0 0 0 -1 0 0 0 1
Offset = 75 65 -55
ElementSpacing = 10 10 10
DimSize = 16 14 12
ElementType = MET_FLOAT
ElementDataFile = LOCAL
"""


def write_nifti(path, voxels, affine):
    """Write a file with a canary in every free field, an extension and the gzip header."""
    image = nib.Nifti1Image(voxels, affine)
    image.header["descrip"], image.header["aux_file"] = b"kanari descrip", b"kanari aux"
    image.header["db_name"], image.header["intent_name"] = b"kanari db", b"kanari intent"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"kanari extension"))
    with path.open("wb") as stream, gzip.GzipFile("kanari.nii", "wb", fileobj=stream) as packed:
        packed.write(image.to_bytes())


def plant(folder):
    """Scans of two people whose files, folders and headers are full of canaries."""
    for seed, person in ((1, "kanari-anna"), (2, "kanari-otto")):
        case, place = scan(seed), folder / "kanari-site" / person
        place.mkdir(parents=True)
        t1, flair = (case.images[m].voxels for m in case.modalities)
        write_nifti(place / f"{person}_seg.nii.gz", case.labels.voxels, case.geometry.affine)
        write_nifti(place / f"{person}_t1.nii.gz", t1, case.geometry.affine)
        header, name = (NRRD, f"{person}_flair.nrrd") if seed == 1 else (METAIMAGE, f"{person}_flair.mha")
        (place / name).write_bytes(header.encode() + flair.astype("<f4").tobytes(order="F"))
    (folder / "name_mapping.csv").write_text("Grade,x_subject_ID\nkanari,kanari-anna\n")


def with_canaries(case):
    """A case in memory with a canary wherever text can be."""
    facts = {**case.facts, "site": "kanari", "kanari": 1, "deep": {"note": ["kanari"]}}
    lineage = replace(case.lineage, source="kanari", subjects=("kanari-donor", *case.lineage.subjects))
    if lineage.is_synthetic:
        edits = ({"kind": "kanari"}, {"kind": "translate", "donor": "kanari", "subjects": ["kanari"]})
        lineage = replace(lineage, edits=edits, parents=("kanari", *lineage.parents), weights="kanari")
    names = {"case_id": f"kanari-{case.case_id}", "subject_id": "kanari-" + case.subject_id, "session": "kanari"}
    return replace(case, **names, lineage=lineage, facts=facts)


def canaries_in(folder):
    """Files and names that hold a canary, packed or unpacked."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        unpacked = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
        name = str(path.relative_to(folder)).encode()
        if any(CANARY in text.lower() for text in (name, data, unpacked)):
            found.append(path.name)
    return found


def test_canaries_are_found_where_they_are(tmp_path):
    """The search itself sees names, bytes and what is packed."""
    plant(tmp_path)

    assert {"kanari-anna_seg.nii.gz", "kanari-anna_flair.nrrd", "kanari-otto_flair.mha"} <= set(canaries_in(tmp_path))
    assert CANARY in gzip.decompress((tmp_path / "kanari-site/kanari-anna/kanari-anna_t1.nii.gz").read_bytes())


@pytest.mark.parametrize("form", ["nifti", "brats", "nnunet", "bids"])
@pytest.mark.parametrize("kind", ["scans", "prepared and synthetic"])
def test_no_canary_gets_out(tmp_path, form, kind):
    """NIfTI fields and extensions, NRRD and MetaImage comments, names, facts, lineage; the key lies outside."""
    if kind == "scans":
        plant(tmp_path / "kanari-folder")
        cohorts = [ingest(tmp_path / "kanari-folder", scheme="brats2017")]
        assert "kanari" in json.dumps([dict(ref.facts) for ref in cohorts[0]])
    else:
        real = with_canaries(prepared(1))
        made = with_canaries(synthetic(2, [real]))
        cohorts = [cohort_of([real, made], "kanari", LabelSource(BRATS2017.name, "kanari"))]
    place = export_cohorts(cohorts, tmp_path / "out", ExportSpec(format=form))

    assert canaries_in(tmp_path / "out") == []
    assert len(list(place.rglob("*.nii.gz"))) >= 6
    assert CANARY in (tmp_path / "private-out" / "key.json").read_bytes()
    assert (tmp_path / "private-out").stat().st_mode & 0o077 == 0


def test_kept_ids_are_all_that_gets_out_with_them(tmp_path):
    """Names are those of the cohort then; headers, facts and sources still stay behind."""
    case = with_canaries(prepared(1))
    place = export_cohorts([cohort_of([case], "kanari")], tmp_path / "out", ExportSpec(keep_ids=True))
    text = (place / "dataset_description.json").read_text()

    assert text.count("kanari") == text.count("kanari-s01-1") == 1
    for path in place.rglob("*.nii.gz"):
        assert CANARY not in gzip.decompress(path.read_bytes())
    assert np.array_equal(case.labels.voxels.shape, (16, 14, 12))
