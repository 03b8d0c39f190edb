"""The hash of a case depends on every file and on what it holds."""

from glioforge.io.digest import case_digest


def test_digest_tells_files_and_roles_apart():
    """Another content, or the same under another role, is another hash."""
    assert (
        len({case_digest({"t1": "a", "t2": "b"}), case_digest({"t1": "b", "t2": "a"}), case_digest({"t1": "a"})}) == 3
    )
