"""Gzip with a cap on what comes out, checked to its last byte.

Common readers accept a member without its checksum, bytes after its end and a
second member, and unpack a bomb until the memory is gone.  `GzipStream` gives
out only as many bytes as it is asked for, and `finish` proves that the stream
ends there with the right checksum and length.

Source: RFC 1952 (gzip file format 4.3).
"""

from pathlib import Path
from typing import final

from isal import igzip_lib, isal_zlib

from glioforge.core import InputFileError

MAGIC = b"\x1f\x8b"
MAX_RATIO = 1032
"""Most bytes that one byte of a deflate stream can unpack to."""

_LEVEL = 2
_DECODER_ERROR: type[Exception] = vars(igzip_lib)["IsalError"]
_FLAG_CRC, _FLAG_EXTRA, _FLAG_NAME, _FLAG_COMMENT = 2, 4, 8, 16
_REMEDY = "the file is damaged or incomplete: copy or download it again"


@final
class GzipStream:
    """Unpacks one gzip member piece by piece.

    Args:
        data: The whole compressed file.
        path: Named in errors.

    Raises:
        InputFileError: The gzip header is damaged.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        self._path = path
        self._pending = memoryview(data)[_header_length(data, path) :]
        self._decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
        self._crc = 0
        self._length = 0

    def read(self, count: int) -> bytes:
        """Unpack exactly `count` more bytes.

        Raises:
            InputFileError: The stream is damaged or ends before.
        """
        data = self._unpack(count)
        if len(data) < count:
            raise InputFileError(
                f"the compressed data end {count - len(data)} bytes early", f"{count} bytes more", _REMEDY, self._path
            )
        return data

    def finish(self) -> None:
        """Prove that the stream ends here, whole and with nothing behind it.

        Raises:
            InputFileError: There is more data, a part is missing, or checksum or length are wrong.
        """
        # Asking for one byte more also makes the decoder reach the end mark, which it may not have read yet.
        if self._unpack(1):
            raise InputFileError(
                "more data than the header inside announces",
                "as many voxels as the header says",
                "write the file again with the tool that made it",
                self._path,
            )
        trailer = bytes(self._decoder.unused_data) if self._decoder.eof else b""
        if len(trailer) < 8:
            raise InputFileError("the gzip stream has no complete end mark", "checksum and length", _REMEDY, self._path)
        if int.from_bytes(trailer[:4], "little") != self._crc:
            raise InputFileError("the gzip checksum is wrong", "the checksum of the contents", _REMEDY, self._path)
        if int.from_bytes(trailer[4:8], "little") != self._length & 0xFFFFFFFF:
            raise InputFileError("the gzip length field is wrong", "the length of the contents", _REMEDY, self._path)
        if len(trailer) > 8:
            what = "a second gzip member" if trailer[8:10] == MAGIC else f"{len(trailer) - 8} bytes"
            raise InputFileError(
                f"{what} after the end of the compressed data",
                "one gzip member and nothing else",
                "unpack the file and compress it once",
                self._path,
            )

    def _unpack(self, count: int) -> bytes:
        """Up to `count` bytes; fewer where the stream ends."""
        parts: list[bytes] = []
        while count > 0 and not self._decoder.eof:
            try:
                part = self._decoder.decompress(self._pending, count)
            except (_DECODER_ERROR, ValueError) as error:
                raise InputFileError(
                    f"the compressed data are damaged ({error})", "a valid gzip stream", _REMEDY, self._path
                ) from error
            # The decoder keeps what it did not use; handing the same bytes over twice would unpack them twice.
            self._pending = memoryview(b"")
            if not part:
                break
            self._crc = isal_zlib.crc32(part, self._crc)
            self._length += len(part)
            count -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def gzip_bytes(data: bytes) -> bytes:
    """Compress into one member without time and file name: same data, same bytes."""
    # No time, no name and system 255 (unknown), so that the same voxels make the same file on every machine.
    header = MAGIC + b"\x08\x00" + bytes(4) + b"\x00\xff"
    body = igzip_lib.compress(data, level=_LEVEL, flag=igzip_lib.COMP_DEFLATE)
    length = len(data) & 0xFFFFFFFF
    return header + body + isal_zlib.crc32(data).to_bytes(4, "little") + length.to_bytes(4, "little")


def _header_length(data: bytes, path: Path) -> int:
    """Length of the gzip header in bytes."""
    if len(data) < 10 or data[:2] != MAGIC or data[2] != 8 or data[3] & 0xE0:
        raise InputFileError("the gzip header is damaged", "a gzip file", _REMEDY, path)
    flags, end = data[3], 10
    if flags & _FLAG_EXTRA:
        end += 2 + int.from_bytes(data[10:12], "little")
    for flag in (_FLAG_NAME, _FLAG_COMMENT):
        if flags & flag:
            end = data.find(b"\x00", end) + 1 or len(data) + 1
    if flags & _FLAG_CRC:
        if int.from_bytes(data[end : end + 2], "little") != isal_zlib.crc32(data[:end]) & 0xFFFF:
            raise InputFileError("the gzip header's checksum is wrong", "the checksum of the header", _REMEDY, path)
        end += 2
    if end >= len(data):
        raise InputFileError("the gzip header does not end", "a gzip file", _REMEDY, path)
    return end
