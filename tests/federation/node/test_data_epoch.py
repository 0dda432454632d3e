"""A data epoch names the state of a department's rows, and nothing else can be read from it."""

import os
from typing import Any

from federation.node.data_epoch import data_epoch

KEY = b"k" * 32


def test_the_same_bytes_have_the_same_name_whenever_they_were_written(firm: Any) -> None:
    source = firm.nodes["risk"].source
    first = data_epoch(source, KEY)
    for path in source.data.iterdir():
        os.utime(path, ns=(1, 1))
    assert data_epoch(source, KEY) == first
    assert len(first) == 64


def test_a_changed_row_a_changed_view_and_another_key_change_the_name(firm: Any) -> None:
    source = firm.nodes["risk"].source
    names = [data_epoch(source, KEY)]
    rows = dict(list(firm.rows["risk"].items())[1:])
    firm.write("risk", rows)
    names.append(data_epoch(source, KEY))
    source.view.write_text(source.view.read_text() + " LIMIT 9")
    names += [data_epoch(source, KEY), data_epoch(source, b"l" * 32)]
    assert len(set(names[:3])) == 3
    os.utime(source.view, ns=(2, 2))
    assert data_epoch(source, b"l" * 32) not in names[:3]


def test_files_that_cannot_be_read_have_no_name(firm: Any) -> None:
    source = firm.nodes["risk"].source
    source.view.unlink()
    assert data_epoch(source, KEY) == ""
