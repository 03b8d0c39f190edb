"""Run nnU-Net's own integrity check on a raw data set; runs in the environment that has nnU-Net.

python .ci/nnunet_integrity.py DATASET_FOLDER
"""

import sys

from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

if __name__ == "__main__":
    verify_dataset_integrity(sys.argv[1], 1)
