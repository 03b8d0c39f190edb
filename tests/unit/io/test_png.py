"""Slices come back from PNG bit by bit, the right way round."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from glioforge.core.errors import InputFileError, OutputError
from glioforge.io.png import read_png_image, read_png_labels, write_png_image, write_png_labels

planes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@settings(max_examples=25)
@given(steps=hnp.arrays(np.int16, planes))
def test_images_of_a_store_come_back_exactly(steps, tmp_path_factory):
    """Whole steps of 1/4096 survive."""
    path = tmp_path_factory.mktemp("png") / "a.png"
    plane = steps.astype(np.float32) / np.float32(4096)
    write_png_image(path, plane)
    assert np.array_equal(read_png_image(path), plane)


@settings(max_examples=25)
@given(labels=hnp.arrays(np.uint8, planes))
def test_labels_come_back_exactly(labels, tmp_path_factory):
    """Every label is its grey value."""
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_png_labels(path, labels)
    assert np.array_equal(read_png_labels(path), labels)


def test_pictures_are_16_and_8_bit_with_the_front_at_the_top(tmp_path):
    """The last j, which is the front of the head, is the first row."""
    plane = np.zeros((3, 2), dtype=np.float32)
    plane[2, 1] = 1.0
    write_png_image(tmp_path / "image.png", plane)
    write_png_labels(tmp_path / "labels.png", plane.astype(np.uint8))
    with Image.open(tmp_path / "image.png") as picture, Image.open(tmp_path / "labels.png") as labels:
        assert picture.mode.startswith("I")
        assert picture.size == (3, 2)
        assert picture.getpixel((2, 0)) == 32768 + 4096
        assert labels.mode == "L"
        assert labels.getpixel((2, 0)) == 1


def test_intensities_that_do_not_fit_are_refused(tmp_path):
    """Raw scanner units need a coarser scale."""
    with pytest.raises(OutputError, match=r"a\.png: intensities from 900 to 900; expected within ±8"):
        write_png_image(tmp_path / "a.png", np.full((2, 2), 900, np.float32))
    write_png_image(tmp_path / "a.png", np.full((2, 2), 900, np.float32), scale=1.0)
    assert (read_png_image(tmp_path / "a.png", scale=1.0) == 900).all()


def test_what_is_no_such_picture_is_refused(tmp_path):
    """Depths are not mixed up; colour and other files are named."""
    write_png_image(tmp_path / "image.png", np.zeros((2, 2), np.float32))
    write_png_labels(tmp_path / "labels.png", np.zeros((2, 2), np.uint8))
    Image.new("RGB", (2, 2)).save(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("text")
    for read, name, message in (
        (read_png_labels, "image.png", "not 8-bit grey"),
        (read_png_image, "labels.png", "8-bit grey; expected 16-bit"),
        (read_png_image, "colour.png", "in colour"),
        (read_png_labels, "text.png", "cannot be read"),
    ):
        with pytest.raises(InputFileError, match=message):
            read(tmp_path / name)
