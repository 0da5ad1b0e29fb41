"""The page about the documents says what the code does."""

from __future__ import annotations

from dev.documents import DOCUMENTS_OF_THE_DEMO, PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `python -m dev.documents`"


def test_there_are_enough_documents_for_a_machine_without_libreoffice() -> None:
    here = [document for document in DOCUMENTS_OF_THE_DEMO if document.kind not in {"odp", "ods", "odt"}]
    assert len(here) >= 10
    assert len({document.kind for document in here}) >= 5
    assert sorted(document.hopeless for document in here if document.hopeless) == ["damaged", "encrypted"]
