"""Gzip of any writer is unpacked exactly, and our own is stable."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from isal import isal_zlib

from glioforge.core.errors import InputFileError
from glioforge.io.gzip_stream import GzipStream, gzip_bytes

HERE = Path("x.gz")


@given(data=st.binary(max_size=3000), level=st.integers(0, 9))
def test_every_member_is_unpacked(data, level):
    """Members of any level come out whole, piece by piece."""
    stream = GzipStream(gzip.compress(data, level, mtime=5), HERE)
    half = len(data) // 2
    assert stream.read(half) + stream.read(len(data) - half) == data
    stream.finish()


@given(data=st.binary(max_size=3000))
def test_our_gzip_is_read_by_others(data):
    """What we write is plain gzip, the same each time."""
    assert gzip.decompress(gzip_bytes(data)) == data
    assert gzip_bytes(data) == gzip_bytes(data)


def member(flags: int, extra: bytes) -> bytes:
    """A member whose header has optional fields."""
    plain = gzip_bytes(b"data")
    return plain[:3] + bytes([flags]) + plain[4:10] + extra + plain[10:]


def test_optional_header_fields_are_passed_over():
    """Extra field, name, comment and header checksum do not change the contents."""
    fields = b"\x03\x00abc" + b"name\x00" + b"comment\x00"
    head = member(30, fields)[: 10 + len(fields)]
    whole = member(30, fields + (isal_zlib.crc32(head) & 0xFFFF).to_bytes(2, "little"))
    stream = GzipStream(whole, HERE)
    assert stream.read(4) == b"data"
    stream.finish()
    with pytest.raises(InputFileError, match="gzip header's checksum is wrong"):
        GzipStream(member(30, fields + b"zz"), HERE)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xffname without end", "header does not end"),
        (b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\xff\xff", "header does not end"),
        (b"\x1f\x8b\x08\xe0" + bytes(10), "header is damaged"),
        (b"\x1f\x8b\x07\x00" + bytes(10), "header is damaged"),
    ],
)
def test_damaged_header_is_refused(data, match):
    """Headers that do not end or that no standard knows are refused."""
    with pytest.raises(InputFileError, match=match):
        GzipStream(data, HERE)


def test_damaged_data_are_refused():
    """Bytes that are no deflate stream are refused."""
    with pytest.raises(InputFileError, match="the compressed data are damaged"):
        GzipStream(gzip_bytes(b"")[:10] + b"\xff" * 50, HERE).read(5)
