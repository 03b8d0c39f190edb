"""What makes fresh cases for a segmenter of a study while it trains."""

from collections.abc import Mapping
from typing import Any

from glioforge.core import Cohort, stream_seed
from glioforge.data import FreshCases
from glioforge.runs import fresh_drawn, fresh_images, fresh_mixtures
from glioforge.studies import Context
from glioforge.studies.steps.drawn import engine_of
from glioforge.studies.steps.synthesize import source_synthesizer


def fresh_cases(context: Context, asked: Mapping[str, Any] | None, train: Cohort, seed: int) -> FreshCases | None:
    """Return what makes the fresh cases of an arm; none where it asks for none.

    Args:
        context: The task; needs the trained synthesizer of a source that has one.
        asked: `reuse`, and `mixing`, `maps` or `recipe`; `from` holds the subjects of the source where they are drawn.
        train: The training side.
        seed: Seed of the training, from which the draws of its cases follow.
    """
    if asked is None:
        return None
    subjects = asked.get("from", {}).get("subjects")
    hosts = train if subjects is None else train.of_subjects(subjects, train.name)
    how: dict[str, Any] = {
        "reuse": asked["reuse"],
        "workers": context.spec.fresh_workers,
        "seed": stream_seed(seed, "fresh cases"),
    }
    if "mixing" in asked:
        return fresh_mixtures(hosts, asked["mixing"], **how)
    synthesizer = source_synthesizer(context)
    if "maps" in asked:
        return fresh_drawn(engine_of(context.folder, hosts, asked["maps"], how["seed"]), synthesizer, **how)
    return fresh_images(hosts, synthesizer, asked["recipe"], **how)
