"""Settings of small augmentation studies for tests of plans."""

from glioforge.studies.question import parse_study
from toy_study import HOW

REAL = {"name": "real", "title": "Real"}
MORE = {"name": "more", "title": "More", "source": "generator", "synthetic_share": 0.5}


def study(arms=(REAL, MORE), *, budget=None, **more):
    """Settings of a study of these arms, without a trial run."""
    values = {
        "name": "tiny",
        "title": "Tiny",
        "synthesizer": {"kind": "painted"},
        "control": {"kind": "painted"},
        "segmenter": {"kind": "unet"},
        "arms": list(arms),
        "budgets": {"small": {"generator": {"steps": 2}, "segmenter": {"steps": 12}, "seeds": 2, **(budget or {})}},
        "accelerator": HOW.model_dump(mode="json"),
        **more,
    }
    return parse_study({name: value for name, value in values.items() if value is not None}, "tiny")
