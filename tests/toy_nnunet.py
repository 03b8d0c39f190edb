"""Stand-ins for nnU-Net's commands: they do what its documentation says, and the truth answers for the network."""

import os

from glioforge.core.schemes import BRATS2023
from glioforge.io.nifti import write_labels
from toy_cohort import toy_case

PLAN = """
d=$nnUNet_preprocessed/Dataset001_glioforge; mkdir -p "$d"; cp "$nnUNet_raw/Dataset001_glioforge/dataset.json" "$d"
"""
TRAIN = """
test -f "$nnUNet_preprocessed/Dataset001_glioforge/splits_final.json" || exit 7
f="$nnUNet_results/Dataset001_glioforge/nnUNetTrainer__nnUNetResEncUNetMPlans__$2/fold_$3"; mkdir -p "$f/validation"
echo "weights of fold $3 $BREAK" > "$f/checkpoint_final.pth"
test -z "$BREAK" || { echo "out of memory"; exit 1; }
echo {} > "$f/validation/summary.json"
"""
PREDICT = """
mkdir -p "$4"
for f in "$2"/*_0000.nii.gz; do
  c=$(basename "$f" _0000.nii.gz); test -f "$2/${c}_0001.nii.gz" && cp "$TRUTH/$c.nii.gz" "$4/"
done
"""


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
