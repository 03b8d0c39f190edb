"""Quality filters of every kind, small enough for tests, with what each of them asks for."""

import tempfile
from pathlib import Path

import numpy as np

from glioforge.core import COMPLETE, LabelMap, Lineage
from glioforge.quality.base import FILTERS, fit_filter
from toy_cohort import MEANS, cohort_of_cases, toy_case

SMALL = {"label_autoencoder": {"steps": 30, "patches": 40, "hidden": 24, "latent": 6}}
"""Settings that make a filter small."""


class ToySegmenter:
    """Names the class whose means are nearest."""

    lineage = Lineage.real("toy segmenter", "someone else")

    def segment(self, case):
        """Label every voxel of the brain."""
        images = case.stack(tuple(MEANS))
        means = np.array(list(MEANS.values()))
        nearest = ((images[:, None] - means[:, :, None, None, None]) ** 2).sum(axis=0)[1:].argmin(axis=0) + 1
        return LabelMap((nearest * case.brain_mask).astype(np.uint8), case.geometry, COMPLETE)


def small_filter(kind, answers=None):
    """Settings of a kind; those of experts with answers on the toy cases with seeds below 40."""
    values = {"kind": kind, **SMALL.get(kind, {})}
    if kind == "expert":
        values["answers"] = str(answers or _answers())
    return FILTERS.parse(values)


def small_fit(kind, train, *, made=None, seed=3):
    """Fit a kind on toys; what looks at made cases gets toys of other subjects unless some are given."""
    needs_made = kind == "discriminator_score" and made is None
    given = cohort_of_cases([toy_case(seed) for seed in range(80, 92)]) if needs_made else made
    spec = small_filter(kind)
    # A filter gets the models that its spec names, as in a study, and no others.
    models = {name: {"segmenter": ToySegmenter()}[name] for name in spec.models}
    return fit_filter(spec, train, made=given, models=models, seed=seed)


def _answers():
    """A table of answers: s02 accepted twice, s30 rejected once."""
    path = Path(tempfile.gettempdir()) / "glioforge-toy-answers.csv"
    path.write_text("reader,subject,call\na,s02,accept\nb,s02,accept\na,s30,reject\n")
    return path
