"""What all tests share: Hypothesis without deadlines, one thread for torch, GPU tests skipped without a GPU."""

import os
import signal
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.errors import Flaky

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

# Other work on the machine makes single examples slow now and then, which says nothing about the code.
settings.register_profile(
    "glioforge", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("glioforge"), max_examples=2000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "glioforge"))

# Set by `make fuzz`: what has not been tried by then is skipped, for time running out is no failure.
# A counterexample whose shrinking is cut short lies in .hypothesis and comes first in the next search.
FUZZ_UNTIL = time.monotonic() + float(os.environ["FUZZ_SECONDS"]) if "FUZZ_SECONDS" in os.environ else None


@pytest.fixture(autouse=True, scope="session")
def fresh_state(tmp_path_factory):
    """Keep looks of tests in a folder of their own, never in that of whoever runs them."""
    before = os.environ.get("GLIOFORGE_STATE")
    os.environ["GLIOFORGE_STATE"] = str(tmp_path_factory.mktemp("state"))
    yield
    os.environ.pop("GLIOFORGE_STATE")
    if before is not None:
        os.environ["GLIOFORGE_STATE"] = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Skip a test, also in the midst of its examples, once the time for the search is up."""
    if FUZZ_UNTIL is None:
        return (yield)
    left = FUZZ_UNTIL - time.monotonic()
    if left <= 0:
        _time_is_up()
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        return (yield)
    except Flaky:
        if time.monotonic() < FUZZ_UNTIL:
            raise
        _time_is_up()  # the skip came while an example was drawn
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _time_is_up(*_):
    """Skip the test that runs."""
    pytest.skip("the time for the search is up")


def pytest_collection_modifyitems(items):
    """Skip tests marked `gpu` where torch sees no GPU."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture
def unchecked_types():
    """Switch array-type checks off, to reach the errors that users meet where nobody checks types."""
    import jaxtyping

    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
