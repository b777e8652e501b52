"""The system's refusals in French: never Python's English, never an empty word."""

from __future__ import annotations

import errno

import pytest

from core.trouble import reason_of, sentence_of


def test_a_refusal_names_the_file_and_what_is_wrong() -> None:
    assert sentence_of(OSError(errno.ENOENT, "No such file or directory", "/media/cle")) == "/media/cle : n'existe pas"
    assert sentence_of(OSError(errno.ENOSPC, "No space left on device")) == "Plus de place sur le disque."


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_refusal_is_said_in_the_systems_own_words(number: int) -> None:
    error = OSError(number, "in English")
    assert reason_of(error)
    assert "in English" not in reason_of(error)


def test_a_refusal_without_a_number_is_named_by_its_class() -> None:
    assert reason_of(ConnectionError()) == "refusé par le système (ConnectionError)"
