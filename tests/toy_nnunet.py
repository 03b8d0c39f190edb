"""Stand-ins for nnU-Net's commands: they do what its documentation says, and the truth answers for the network."""

import os
import sys

from glioforge.core.schemes import BRATS2023
from glioforge.io.nifti import write_labels
from toy_cohort import toy_case

PLAN = """
d=$nnUNet_preprocessed/Dataset001_glioforge; mkdir -p "$d"; cp "$nnUNet_raw/Dataset001_glioforge/dataset.json" "$d"
"""
TRAIN = """
test -f "$nnUNet_preprocessed/Dataset001_glioforge/splits_final.json" || exit 7
test -z "$nnUNet_extTrainer" || grep -q "class $5(nnUNetTrainer)" "$nnUNet_extTrainer/$5.py" || exit 8
f="$nnUNet_results/Dataset001_glioforge/$5__$7__$2/fold_$3"; mkdir -p "$f/validation"
echo "weights of fold $3 $BREAK" > "$f/checkpoint_final.pth"
test -z "$BREAK" || { echo "out of memory"; exit 1; }
echo '{"foreground_mean": {"Dice": 0.'$3'5}}' > "$f/validation/summary.json"
"""
PREDICT = """
mkdir -p "$4"
for f in "$2"/*_0000.nii.gz; do
  c=$(basename "$f" _0000.nii.gz); test -f "$2/${c}_0001.nii.gz" && cp "$TRUTH/$c.nii.gz" "$4/"
done
"""


ALONE = """
import sys
from pathlib import Path
import nibabel as nib
import numpy as np

images, masks = Path(sys.argv[2]), Path(sys.argv[4])
masks.mkdir(parents=True, exist_ok=True)
for file in images.glob("*_0000.nii.gz"):
    image = nib.load(file)
    voxels = np.asarray(image.dataobj)
    found = np.where(voxels > np.quantile(voxels, 0.98), 2, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(found, image.affine), masks / file.name.replace("_0000", ""))
"""


def make_environment(place):
    """Write the stand-ins into an environment of their own, where a threshold answers for the network."""
    (place / "bin").mkdir(parents=True)
    python = f"#!{sys.executable}\n{ALONE}"
    for name, script in (("plan_and_preprocess", PLAN), ("train", TRAIN)):
        (place / "bin" / f"nnUNetv2_{name}").write_text(f'#!/bin/sh\necho "{name} $*" >> {place}/calls\n{script}')
    (place / "bin" / "nnUNetv2_predict").write_text(python)
    for path in (place / "bin").iterdir():
        path.chmod(0o755)
    return place


def install_commands(place, monkeypatch):
    """Put the stand-ins on the path; they note their calls in the file `calls`."""
    folder, truth = place / "bin", place / "truth"
    folder.mkdir()
    for name, script in (("plan_and_preprocess", PLAN), ("train", TRAIN), ("predict", PREDICT)):
        path = folder / f"nnUNetv2_{name}"
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {place}/calls\n{script}')
        path.chmod(0o755)
    for seed in range(8):
        write_labels(truth / f"s{seed:02}-1.nii.gz", toy_case(seed).require_labels().to(BRATS2023))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("TRUTH", str(truth))
    return place


def calls_in(place):
    """What was called, and how."""
    return (place / "calls").read_text().splitlines()
