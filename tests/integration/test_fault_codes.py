"""Every fault that kaya can name is in doc/faults.md, and a test makes it.

The end of the document is made of kaya's own tables. After a change of them

    KAYA_WRITE_FAULTS=1 pytest tests/integration/test_fault_codes.py

writes it anew.
"""

import os

import pytest

import faultcodes
from faultcodes import DOCUMENT, FILES, OTHERS


def test_the_tables_are_read_whole():
    """Each row that can be told has a code, a cause and a remedy."""
    text = "".join(path.read_text()
                   for path in faultcodes.TABLES.rglob("*.c"))
    found = faultcodes.faults()
    assert len(found) == sum(
        text.count(f", {state}, ERR_") for state in faultcodes.STATES)
    assert {fault.area for fault in found} == set(FILES)
    for fault in found:
        assert fault.code and fault.cause and fault.remedy, fault


@pytest.mark.parametrize("area", FILES)
def test_each_fault_is_asserted_by_a_test(area):
    codes = {fault.code for fault in faultcodes.faults()
             if fault.area == area}
    assert codes - faultcodes.asserted_in(area) == set()


def test_each_fault_is_in_the_document():
    text = DOCUMENT.read_text()
    if os.environ.get("KAYA_WRITE_FAULTS"):
        text = text.split(OTHERS)[0] + faultcodes.others()
        DOCUMENT.write_text(text)
    assert text[text.index(OTHERS):] == faultcodes.others()


def test_what_is_said_to_be_tried_is_a_fault_that_kaya_knows():
    known = {(fault.area, fault.code) for fault in faultcodes.faults()}
    assert {row for row in faultcodes.tried() if row[0] != "lint"} <= known
