"""Radiomic features of fastrad agree with mirp, which follows the Image Biomarker Standardisation Initiative."""

import warnings

import numpy as np
import pytest

from glioforge.features.radiomics import BIN, region_features

SAME = {
    "firstorder:mean": "stat_mean",
    "firstorder:variance": "stat_var",
    "firstorder:skewness": "stat_skew",
    "firstorder:energy": "stat_energy",
    "firstorder:root_mean_squared": "stat_rms",
    "glcm:contrast": "cm_contrast",
    "glcm:difference_average": "cm_diff_avg",
    "glcm:difference_entropy": "cm_diff_entr",
    "glcm:correlation": "cm_corr",
    "glcm:joint_energy": "cm_energy",
    "glcm:joint_entropy": "cm_joint_entr",
    "glcm:autocorrelation": "cm_auto_corr",
    "glcm:cluster_prominence": "cm_clust_prom",
    "glcm:cluster_shade": "cm_clust_shade",
    "glcm:maximum_probability": "cm_joint_max",
    "glcm:idm": "cm_inv_diff_mom",
    "glcm:inverse_variance": "cm_inv_var",
    "glcm:imc1": "cm_info_corr1",
    "glcm:imc2": "cm_info_corr2",
}
"""Names of the same feature; kurtosis and the median of an even count are defined otherwise, and left out."""


def test_features_are_those_of_mirp():
    """First-order and co-occurrence features of grey levels that both discretise alike, to single precision."""
    rng = np.random.default_rng(0)
    image = ((rng.integers(0, 8, (12, 12, 12)) + 0.5) * BIN).astype(np.float32)
    image[1, 1, 1] = BIN / 2
    mask = np.zeros(image.shape, dtype=bool)
    mask[1:-1, 1:-1, 1:-1] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mirp import extract_features

        theirs = extract_features(
            image=image,
            mask=mask.astype(np.uint8),
            base_feature_families=["statistics", "cm"],
            base_discretisation_method="fixed_bin_size",
            base_discretisation_bin_width=BIN,
            resegmentation_intensity_range=[0.0, 8 * BIN],
            glcm_spatial_method="3d_average",
        )[0].iloc[0]
    ours = region_features(image, mask, (1.0, 1.0, 1.0))

    for name, other in SAME.items():
        column = other if other.startswith("stat") else f"{other}_d1_3d_avg_fbs_w{BIN}"
        assert ours[name] == pytest.approx(float(theirs[column]), rel=1e-4), name
