"""Results come back as they were, and the same results are the same bytes."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glioforge.core.errors import InputFileError
from glioforge.io.tables import CSV, PARQUET, ResultRow, read_results, write_results

texts = st.text(max_size=8).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))
rows = st.lists(
    st.builds(
        ResultRow, texts, texts, st.integers(0, 9), st.integers(-5, 99), texts, texts, texts, texts,
        st.floats(allow_nan=False), texts, texts, texts, texts, texts, texts, texts,
        st.integers(0, 9), st.integers(0, 9),
    ),
    max_size=6,
)  # fmt: skip


@given(table=rows, data=st.data())
@settings(max_examples=20)
def test_rows_come_back_sorted_and_stable(tmp_path_factory, table, data):
    """Every field is read back; another order of the rows gives the same files."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    write_results(one, table)
    write_results(two, data.draw(st.permutations(table)))
    assert sorted(map(repr, read_results(one))) == sorted(map(repr, table))
    for name in (PARQUET, CSV):
        assert (one / name).read_bytes() == (two / name).read_bytes()


ROW = ResultRow("s", "real", 0, 1, "c", "p", "WT", "dice", 0.1)


def test_a_table_of_one_draw_and_one_generator_is_read(tmp_path):
    """As earlier releases wrote it, without columns for them."""
    import pyarrow.parquet as pq

    write_results(tmp_path, [ROW])
    table = pq.read_table(tmp_path / PARQUET)
    pq.write_table(table.drop_columns(["draw", "generator_seed"]), tmp_path / PARQUET)
    assert read_results(tmp_path) == [ROW]


def test_csv_holds_the_same_numbers(tmp_path):
    """Numbers in the CSV read back exactly, those of numpy too."""
    values = [0.1, 1 / 3, np.float64(2.5), math.nan, math.inf]
    write_results(tmp_path, [replace(ROW, value=value) for value in values])
    with (tmp_path / CSV).open(encoding="utf-8", newline="") as file:
        found = [float(row["value"]) for row in csv.DictReader(file)]
    np.testing.assert_array_equal(found, [*sorted(values[:3]), math.inf, math.nan])


def test_spreadsheets_run_nothing(tmp_path):
    """Text that looks like a formula is made harmless in the CSV and stays itself in the Parquet."""
    write_results(tmp_path, [replace(ROW, note='=HYPERLINK("x")', case_id="-1+2", value=-1.0)])
    text = (tmp_path / CSV).read_text(encoding="utf-8")
    assert "'=HYPERLINK" in text
    assert "'-1+2" in text
    assert ",-1.0," in text
    assert read_results(tmp_path)[0].case_id == "-1+2"


def test_rows_are_sorted_by_what_identifies_a_number(tmp_path):
    """Then by the number: rows of one contrast, reference, sample and grid lie together."""
    keys = [("flair", "scan", "", ""), ("t1", "noise-free image", "", ""), ("t1", "scan", "mean of draws", "prepared")]
    rows = [
        replace(ROW, contrast=contrast, reference=reference, sample=sample, grid=grid, value=value)
        for value in (2.0, 1.0)
        for contrast, reference, sample, grid in keys
    ]
    write_results(tmp_path, rows)
    found = [(row.contrast, row.reference, row.sample, row.grid, row.value) for row in read_results(tmp_path)]

    assert found == [(*key, value) for key in keys for value in (1.0, 2.0)]


def test_the_place_of_a_number_is_region_and_contrast():
    """As tables show it."""
    assert ROW.place == "WT"
    assert replace(ROW, region="brain", contrast="t1ce").place == "brain/t1ce"


def test_no_rows_are_an_empty_table(tmp_path):
    """An empty study has tables with their columns."""
    write_results(tmp_path, [])
    assert read_results(tmp_path) == []
    assert (tmp_path / CSV).read_text(encoding="utf-8").startswith("study,arm,fold,seed,")


@pytest.mark.parametrize("data", [b"", b"PAR1xxxxPAR1", b"no table"])
def test_damaged_table_is_refused(tmp_path, data):
    """A file that is no Parquet is told with its path."""
    (tmp_path / PARQUET).write_bytes(data)
    with pytest.raises(InputFileError, match=r"results\.parquet: not a table of results"):
        read_results(tmp_path)


def test_other_table_is_refused(tmp_path):
    """A table with other columns is told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [1]}), tmp_path / PARQUET)
    with pytest.raises(InputFileError, match="not a table of results"):
        read_results(tmp_path)
