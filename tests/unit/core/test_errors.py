"""Typed errors: message, exit code, pickling."""

import pickle

import pytest

from glioforge.core import errors
from glioforge.core.errors import GlioforgeError, InputFileError, LeakageError, SpecError

EVERY = [value for value in vars(errors).values() if isinstance(value, type) and value is not GlioforgeError]
EVERY = [value for value in EVERY if issubclass(value, GlioforgeError)]


def test_message_joins_what_is_given():
    """The message reads where: found; expected ...; remedy."""
    error = InputFileError("two images", "one", "drop the other", "a/b.nii")

    assert str(error) == "a/b.nii: two images; expected one; drop the other"


def test_message_leaves_out_what_is_empty():
    """Found alone is the whole message."""
    assert str(InputFileError("two images")) == "two images"


@pytest.mark.parametrize("kind", EVERY)
def test_errors_survive_a_process_border(kind):
    """An error raised in a worker process arrives with its parts and message."""
    error = kind("found", "expected", "remedy", "where")

    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(back) is kind
    assert str(back) == str(error)
    assert back.remedy == "remedy"


def test_exit_codes_tell_kinds_apart():
    """A wrong spec exits with 2 and a leak with 3, so that scripts can tell."""
    assert (GlioforgeError.exit_code, SpecError.exit_code, LeakageError.exit_code) == (1, 2, 3)
