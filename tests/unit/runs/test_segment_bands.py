"""Cases prepared with bands of intensity count as prepared: they are segmented as they are."""

import dataclasses
from types import SimpleNamespace

import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import Cohort
from glioforge.core.protocols import Silent
from glioforge.core.schemes import CARVER_BRAINMAP
from glioforge.runs import segment
from glioforge.segmentation.methods.unet import UNetSpec
from toy_cohort import toy_cohort


@pytest.mark.parametrize("told", [True, False])
def test_bands_are_not_prepared_again(tmp_path, monkeypatch, told):
    """Without a word of preparation in their facts they would be; a model's record of it is then asked for."""
    refs = toy_cohort(range(2)).cases
    facts = {"prepared": {}} if told else {}
    bands = tuple(dataclasses.replace(ref, scheme=CARVER_BRAINMAP.name, facts={**facts}) for ref in refs)
    cohort = Cohort("bands", bands, CARVER_BRAINMAP)
    seen = []
    monkeypatch.setattr(segment, "load_segmenter", lambda *_: SimpleNamespace(spec=UNetSpec()))
    monkeypatch.setattr(segment, "segment_cohort", lambda _, prepared, *rest, **kw: seen.append(prepared) or [])
    if told:
        assert segment.segment_folder(cohort, tmp_path, tmp_path, parallel=ParallelSpec(), progress=Silent()) == []
        assert seen == [cohort]
    else:
        with pytest.raises(Exception, match="no record of the preparation"):
            segment.segment_folder(cohort, tmp_path, tmp_path, parallel=ParallelSpec(), progress=Silent())
