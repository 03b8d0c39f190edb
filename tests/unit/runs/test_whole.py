"""Whole cases in one command: sampler, filters, hosts, synthesizer, filters."""

import json

import pytest

from fixtures_samplers import PLAIN, SHORT, SMALL
from glioforge.core import COMPLETE, Cohort, CohortError, LeakageError, require_no_leak
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.quality.base import FILTERS
from glioforge.runs.filter import QUEUE, filter_cohort
from glioforge.runs.filter_page import passed
from glioforge.runs.whole import FUNNEL, WHOLE_PAGE, WholeSpec, make_whole_cases
from glioforge.sampling.base import train_sampler
from glioforge.sampling.method import SAMPLERS
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from toy_cohort import toy_case, toy_cohort

EASY = {"kind": "pixel_zscore", "threshold": 1e6}
STRICT = {"kind": "class_statistics", "refused_share": 0.5}


def stored(folder, seeds, name):
    """A cohort of toys on the disk."""
    refs = tuple(write_case(folder / "cases", toy_case(seed)) for seed in seeds)
    cohort = Cohort(name, refs, COMPLETE)
    write_cohort(cohort, folder)
    return cohort


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A sampler of subjects 1 to 3, a painter of 4 to 6, and cohorts for filters and hosts."""
    folder = tmp_path_factory.mktemp("whole")
    sampler = SAMPLERS.parse({"kind": "label_vae", **SMALL["label_vae"], **SHORT})
    train_sampler(toy_cohort([1, 2, 3]), None, sampler, folder / "sampler", seed=1, accelerator=PLAIN)
    painter = SYNTHESIZERS.parse("painted")
    train_synthesizer(toy_cohort([4, 5, 6]), None, painter, folder / "painter", seed=1, accelerator=PLAIN)
    stored(folder / "filters", [7, 8, 9, 10], "filters")
    stored(folder / "hosts", [11, 12], "hosts")
    return folder


def spec_of(models, **more):
    """Whole cases with filters that refuse little."""
    given = {"sampler": models / "sampler", "train": models / "filters", "synthesizer": models / "painter"}
    return WholeSpec.model_validate({**given, "label_filters": [EASY], **more})


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """Six whole cases in hosts' anatomies."""
    out = tmp_path_factory.mktemp("made") / "out"
    hosts = {"cohort": models / "hosts", "recipe": str(models / "swap.yaml"), "per_host": 3}
    (models / "swap.yaml").write_text("name: swap\nsteps:\n  - edit: {kind: transplant, most_shift_mm: 60}\n")
    return out, make_whole_cases(spec_of(models, hosts=hosts), out, count=6, seed=2, accelerator=PLAIN)


def test_lineage_names_everyone_behind_all_four_steps(whole):
    """Sampler, filters, hosts and painter: no test subject may be any of theirs."""
    _, made = whole
    behind = set(made.subjects_behind)

    assert len(made) > 0
    assert {"s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10"} <= behind
    assert behind & {"s11", "s12"}
    for seed in (1, 5, 8):
        with pytest.raises(LeakageError):
            require_no_leak({"whole cases": made}, toy_cohort([seed], "test"))
    require_no_leak({"whole cases": made}, toy_cohort([20], "test"))


def test_the_funnel_adds_up_and_the_page_shows_it(whole):
    """Counts fall from step to step and end with the cohort, which can be read with its images."""
    out, made = whole
    funnel = json.loads((out / FUNNEL).read_text())

    assert [stage["after"] for stage in funnel] == ["sampled", "pixel_zscore", "in hosts", "painted"]
    assert funnel[0]["left"] == 6
    assert funnel[-1]["left"] == len(made) == len(read_cohort(out))
    assert len(read_cohort(out).cases[0].load().images) == 2
    assert "Whole cases" in (out / WHOLE_PAGE).read_text()


def test_the_same_command_goes_on(models, tmp_path):
    """A second call gives the same cohort, and finds everything made."""
    spec = spec_of(models, image_filters=[STRICT])
    first = make_whole_cases(spec, tmp_path / "o", count=3, accelerator=PLAIN)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "o").rglob("images.b2nd")}
    again = make_whole_cases(spec, tmp_path / "o", count=3, accelerator=PLAIN)

    assert first.fingerprint == again.fingerprint
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "o").rglob("images.b2nd")}


def test_filters_may_leave_nothing(models, tmp_path):
    """Where no map passes, nothing is painted, and the cohort is empty."""
    none = {"kind": "pixel_zscore", "threshold": 1e-6}
    made = make_whole_cases(spec_of(models, label_filters=[none]), tmp_path / "o", count=2, accelerator=PLAIN)

    assert len(made) == 0
    assert json.loads((tmp_path / "o" / FUNNEL).read_text())[1] == {"after": "pixel_zscore", "left": 0}


def test_synthetic_cases_set_no_limits(whole, models, tmp_path):
    """Filters are fitted on real cases alone."""
    out, _ = whole
    with pytest.raises(CohortError, match="synthetic"):
        make_whole_cases(spec_of(models, train=out / "painted"), tmp_path / "o", count=1, accelerator=PLAIN)


def test_numbers_of_filters_add_up_and_experts_get_a_queue(whole, models, tmp_path):
    """What falls at each filter and what is left sum to what came before; the queue holds what was kept."""
    out, _ = whole
    made = read_cohort(out / "painted")
    kept, verdicts = filter_cohort(
        made,
        read_cohort(models / "filters"),
        [FILTERS.parse(STRICT), FILTERS.parse({**EASY, "threshold": 40.0})],
        tmp_path / "k",
        queue=2,
    )
    before = len(made)
    for step in passed(verdicts):
        assert before == len(step.first) + step.left
        assert step.refuses >= len(step.first)
        before = step.left
    assert before == len(kept)
    assert len(read_cohort(tmp_path / "k" / QUEUE)) == min(2, len(kept))
    assert {ref.case_id for ref in read_cohort(tmp_path / "k" / QUEUE)} <= {ref.case_id for ref in kept}
