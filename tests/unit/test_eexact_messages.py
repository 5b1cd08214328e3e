"""What Exact answers to an import, read in both of its forms."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.exact.eexact.messages import Message, UnreadableMessages, read_messages, worst_of_each


def said(*messages: str) -> bytes:
    return f"<eExact><Messages>{''.join(messages)}</Messages></eExact>".encode()


def test_a_record_is_named_by_attribute_or_text_in_either_form() -> None:
    content = said(
        '<Message type="2"><Topic code="Items" node="Item"><DataKey code="A">a</DataKey></Topic></Message>',
        '<Message type="2"><Topic code="Items" node="Item"><DataKey>B</DataKey></Topic></Message>',
        '<Message type="2"><Topic code="Items" node="Item"><Data keyAlt="C"/></Topic></Message>',
    )

    assert [one.code for one in read_messages(content)] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("kind", "imported"), [("1", True), ("2", True), ("0", False), ("3", False), ("x", False)]
)
def test_only_types_one_and_two_are_in(kind: str, imported: bool) -> None:
    content = said(f'<Message type="{kind}"><Topic code="Items"><DataKey code="A"/></Topic></Message>')

    assert read_messages(content) == [Message("Items", "A", imported, "")]


def test_a_message_may_name_several_records_or_none_and_say_it_first() -> None:
    content = said(
        '<Message type="0"><Description> Full &amp; closed </Description>'
        '<Topic code="Items"><DataKey code="A"/><DataKey code="B"/></Topic></Message>',
        '<Message type="0"><Date>2026-11-21</Date><Description>No licence</Description></Message>',
    )

    assert read_messages(content) == [
        Message("Items", "A", False, "Full & closed"),
        Message("Items", "B", False, "Full & closed"),
        Message("", "", False, "No licence"),
    ]


def test_an_error_outweighs_what_else_is_said_of_a_record() -> None:
    messages = [
        Message("Items", "A", True, "Created"),
        Message("Items", "A", False, "Unit unknown"),
        Message("Items", "A", True, "Done"),
        Message("Items", "A", False, "VAT unknown"),
        Message("Items", "B", True, "Created"),
    ]

    assert worst_of_each(messages) == [
        Message("Items", "A", False, "Unit unknown; VAT unknown"),
        Message("Items", "B", True, "Created"),
    ]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: said(text)))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    with suppress(UnreadableMessages):  # and nothing else
        read_messages(content)
