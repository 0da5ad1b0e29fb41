"""Finding documents: here and in an object store, whatever they are called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.batch.sources import (
    SourceFile,
    SourceSpec,
    chunk_documents,
    find,
    list_folder,
    read_specs,
)
from airflow_provider_docconv.exceptions import InvalidOptions, SourceNotFound
from airflow_provider_docconv.services.catalog import ASPOSE_SLIDES
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.transfer.addresses import read_remote
from airflow_provider_docconv.transfer.object_storage import to_path
from airflow_provider_docconv.transfer.source import open_source
from tests.support.places import Place

ODD_NAMES = (
    *("a b.pptx", "a#b.pptx", "what?.pptx", "50%.pptx", "a%20b.pptx", "q[1].pptx", "a*b.pptx", "naïve ☃ 日本.pptx"),
    *("c:d.pptx", "x@y.pptx", "a+b&c=d;e.pptx", "~t.pptx", "{a}.pptx", "a'b\"c.pptx", "dots...pptx", " x.pptx"),
    *("no extension", "sub/x.pptx", "sub dir#1/in [2]/x?y.pptx"),
)


def found(source: str, documents: Any = None, *, results: str = "file:///nowhere/else/") -> list[SourceFile]:
    return list(find(SourceSpec(source, documents, "pdf", {}), [results], {"aspose-slides"}))


def names(source: str, documents: Any = None, **values: Any) -> list[str]:
    return [each.relative for each in found(source, documents, **values)]


@pytest.mark.parametrize("slash", ["/", "//", ""])
def test_a_folder_gives_everything_below_it(slash: str, place: Place) -> None:
    place.put("b.pptx", "a.pptx", "sub/a.pptx", "sub/sub/c", "x.pdf", content=b"four")
    listed = found(f"{place.uri}{slash}")
    assert [each.relative for each in listed] == ["a.pptx", "b.pptx", "sub/a.pptx", "sub/sub/c", "x.pdf"]
    assert [each.uri for each in listed] == [f"{place.uri}/{each.relative}" for each in listed]
    assert {each.size for each in listed} == {4}
    assert all(each.version for each in listed)


def test_a_folder_next_to_it_is_another_one(place: Place) -> None:
    place.put("in/a.pptx", "in.pptx", "in-2/b.pptx", "xin/in/c.pptx")
    assert names(f"{place.uri}/in/") == ["a.pptx"]


def test_hidden_files_and_what_the_batch_keeps_are_left_out(place: Place) -> None:
    place.put("a.pptx", ".b.pptx", ".git/c.pptx", "sub/.d.pptx", ".docconv/record/x.jsonl", "sub/.docconv/y", "e.")
    assert names(f"{place.uri}/") == ["a.pptx", "e."]
    assert set(names(f"{place.uri}/**/*")) <= {"a.pptx", "e."}


def test_a_path_with_hidden_folders_can_be_the_source(place: Place) -> None:
    place.put(".inbox/a.pptx", ".inbox/.b.pptx")
    assert names(f"{place.uri}/.inbox/") == ["a.pptx"]
    assert names(f"{place.uri}/.inbox/.b.pptx") == [".b.pptx"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/*.pptx", ["a.pptx", "b.pptx"]),
        ("/?.pptx", ["a.pptx", "b.pptx"]),
        ("/[ax].pptx", ["a.pptx"]),
        ("/**/*.pptx", ["a.pptx", "b.pptx", "sub/deep/d.pptx", "sub/c.pptx"]),
        ("/sub/*.pptx", ["c.pptx"]),
        ("/su*/*.pptx", ["sub/c.pptx"]),
        ("/*", ["a.pptx", "b.pptx", "x.docx"]),
        ("/*.odt", []),
    ],
)
def test_a_glob_gives_what_it_matches_below_its_folder(pattern: str, expected: list[str], place: Place) -> None:
    place.put("a.pptx", "b.pptx", "x.docx", "sub/c.pptx", "sub/deep/d.pptx")
    matched = found(f"{place.uri}{pattern}")
    assert [each.relative for each in matched] == sorted(expected)
    everything = found(f"{place.uri}/")
    assert {each.uri for each in matched} <= {each.uri for each in everything}
    assert {each.version for each in matched} <= {each.version for each in everything}


def test_a_document_gives_itself(place: Place) -> None:
    place.put("sub/a.pptx", content=b"four")
    [document] = found(f"{place.uri}/sub/a.pptx")
    [listed] = found(f"{place.uri}/sub/")
    assert document == listed
    assert document.relative == "a.pptx"


@pytest.mark.parametrize("count", [3, 19, 20, 45])
def test_documents_of_a_folder_are_the_same_however_they_are_asked_for(count: int, place: Place) -> None:
    place.put(*(f"sub/{number:02d}.pptx" for number in range(25)), *(f"{number:02d}.pptx" for number in range(25)))
    everything = found(f"{place.uri}/")
    wanted = everything[-count:]
    for folder in (place.uri, f"{place.uri}/"):
        # A worker of another run has not listed the folder before.
        to_path(folder).fs.invalidate_cache()
        assert found(folder, [each.relative for each in wanted]) == wanted


@pytest.mark.parametrize("count", [0, 30])
def test_a_named_document_that_is_missing_fails_by_itself(count: int, place: Place) -> None:
    there = [f"{number:02d}.pptx" for number in range(count)]
    place.put("other.pptx", *there)
    missing = SourceFile(f"{place.uri}/missing.pptx", "missing.pptx")
    assert found(f"{place.uri}/missing.pptx") == [missing]
    documents = found(place.uri, [*there, "missing.pptx", "other.pptx"])
    assert [each for each in documents if each.size is None] == [missing]
    assert len(documents) == count + 2


def test_no_documents_are_none(place: Place) -> None:
    place.put("a.pptx")
    assert found(place.uri, []) == []


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    for folder in (f"file://{tmp_path}/none/", f"{tmp_path}/none/", f"file://{tmp_path}/none/*.pptx"):
        with pytest.raises(SourceNotFound, match=r"can't be listed, so nothing was sent \(No such file or directory\)"):
            found(folder)
    with pytest.raises(SourceNotFound):
        found(f"file://{tmp_path}/none", [str(number) for number in range(30)])


def test_an_empty_folder_gives_nothing(place: Place) -> None:
    place.put("in/x.pptx/a.pptx", "in/.hidden", "in/~$a.pptx")
    assert names(f"{place.uri}/in/x.pptx/*.docx") == []
    assert names(f"{place.uri}/in/*") == []


@pytest.mark.parametrize("source", ["none/", "none/*.pptx", "none/**/*", "{none,neither}/x/"])
def test_a_folder_or_prefix_that_does_not_exist_is_an_error(source: str, place: Place) -> None:
    place.put("none-2/a.pptx", "non/a.pptx")
    with pytest.raises(SourceNotFound, match="can't be listed, so nothing was sent"):
        names(f"{place.uri}/x/{source}")


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_store_that_refuses_is_an_error(place: Place) -> None:
    with pytest.raises(SourceNotFound, match=r"the documents can't be listed.*bucket does not exist") as raised:
        found("s3://batch_store@no-such-bucket/inbox/")
    assert "s3://batch_store@no-such-bucket/inbox/" in str(raised.value)


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_the_connection_stays_in_the_address(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BATCH_STORE_2", os.environ["AIRFLOW_CONN_BATCH_STORE"])
    place.put("a.pptx", "sub/b.pptx")
    folder = place.uri.replace("batch_store@", "batch_store_2@")
    assert [each.uri for each in found(f"{folder}/")] == [f"{folder}/a.pptx", f"{folder}/sub/b.pptx"]


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_store_that_lists_in_pages_gives_all(place: Place) -> None:
    place.put(*(f"{number % 7}/{number:04d}.pptx" for number in range(1100)))
    everything = found(f"{place.uri}/")
    assert len({each.uri for each in everything}) == 1100
    assert found(place.uri, [each.relative for each in everything]) == everything


@pytest.mark.parametrize("source", ["/", "", "/*.pptx", "/**/*.pptx"])
def test_a_folder_is_listed_anew_each_time(source: str, place: Place) -> None:
    for number in range(3):
        place.put(f"{number}.pptx", f"later/{number}/x.pptx")
        assert f"{number}.pptx" in names(f"{place.uri}{source}")
        assert names(f"{place.uri}/later/{number}{source}") == ["x.pptx"]


@pytest.mark.parametrize("source", ["/in [x]/", "/in [x]", "/in", "/in/"])
def test_a_folder_that_was_just_made_is_found(source: str, place: Place) -> None:
    place.put("before.pptx")
    assert names(f"{place.uri}/") == ["before.pptx"]
    place.put("in/a.pptx", "in [x]/a.pptx")
    assert names(f"{place.uri}{source}") == ["a.pptx"]


@pytest.mark.parametrize("source", ["/", "/*.pptx", "/a.pptx"])
def test_a_document_is_looked_at_anew_each_time(source: str, place: Place) -> None:
    # Not empty: the boto3 of early 2026 waits for ever for the answer of the server that the tests have.
    for number in (1, 2, 3):
        place.put("a.pptx", content=b"x" * number)
        listed = found(f"{place.uri}{source}")
        assert [each.size for each in listed] == [number]
        assert len({each.version for each in listed}) == 1
    place.put("a.pptx", content=b"yy")
    assert found(f"{place.uri}{source}") != listed


def test_a_source_that_was_replaced_since_it_was_listed_is_sent_as_it_is(place: Place) -> None:
    place.put("a.pptx", content=b"PK\x03\x04")
    assert len(list(list_folder(f"{place.uri}/", [f"{place.uri}/out/"]))) == 1
    place.put("a.pptx", content=b"PK\x03\x04 and more")
    source = open_source(f"{place.uri}/a.pptx", ASPOSE_SLIDES)
    assert isinstance(source, Document)
    assert (source.size, b"".join(source.chunks())) == (13, b"PK\x03\x04 and more")


@pytest.mark.parametrize("count", [2, 25])
def test_documents_of_a_folder_are_looked_at_anew_each_time(count: int, place: Place) -> None:
    documents = [f"{number}.pptx" for number in range(count)]
    for number in (1, 2, 3):
        place.put(*documents, content=b"x" * number)
        assert {each.size for each in found(place.uri, documents)} == {number}
        found(f"{place.uri}/")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_only_names(name: str, place: Place) -> None:
    content = name.encode()
    place.put(name, content=content)
    place.put("a", "a.pptx", "wha.pptx", "q1.pptx", "b.pptx", "sub dir", content=b"another one")
    [listed] = [each for each in found(f"{place.uri}/") if each.relative == name]
    assert listed.size == len(content)
    assert to_path(listed.uri).read_bytes() == content
    to_path(place.uri).fs.invalidate_cache()
    [alone] = found(listed.uri)
    assert (alone.uri, alone.size, alone.version) == (listed.uri, listed.size, listed.version)
    assert alone.relative == name.rpartition("/")[2]
    assert found(place.uri, [name]) == [listed]
    assert found(place.uri, [name] * 20) == [listed] * 20


@pytest.mark.parametrize("folder", ["in [x]", "in?", "in*", "in #1", "50%", "日本", "{in}"])
def test_odd_folders_are_only_folders(folder: str, place: Place) -> None:
    place.put("inx/no.pptx", "in x/no.pptx", "in/no.pptx", f"{folder}/a.pptx", f"{folder}/sub/b.pptx")
    assert names(f"{place.uri}/{folder}/") == ["a.pptx", "sub/b.pptx"]
    assert names(f"{place.uri}/{folder}", ["a.pptx"]) == ["a.pptx"]


@pytest.mark.parametrize("source", ["/", "/**/*.pptx", "/*/*.pptx"])
def test_results_below_the_documents_are_no_documents(source: str, place: Place) -> None:
    place.put("in/a.pptx", "pdf/a.pptx", "pdf/sub/b.pptx", "pdf2/c.pptx")
    expected = ["in/a.pptx", "pdf2/c.pptx"]
    assert names(f"{place.uri}{source}", results=f"{place.uri}/pdf/") == expected
    elsewhere = names(f"{place.uri}{source}", results="file:///pdf/")
    assert {"pdf/a.pptx", *expected} <= set(elsewhere)


@pytest.mark.parametrize("source", ["/in/", "/in/*.pptx", "/in/sub/", "/in/**/*.pptx"])
@pytest.mark.parametrize("results", ["/", "/in/"])
def test_documents_below_the_folder_of_the_results_are_documents(source: str, results: str, place: Place) -> None:
    """As with the destination "s3://bucket/{stem}.pdf" or "s3://bucket/inbox/{folder}{stem}.pdf"."""
    place.put("in/a.pptx", "in/sub/b.pptx")
    assert found(f"{place.uri}{source}", results=f"{place.uri}{results}") == found(f"{place.uri}{source}")
    assert found(f"{place.uri}{source}")


def test_addresses_in_the_vendors_storage_are_not_looked_up() -> None:
    uri = "aspose-slides://Main/in box/q3 #1.pptx"
    assert found(uri) == [SourceFile(uri, "q3 #1.pptx")]
    assert found("aspose-slides:///q3.pptx") == [SourceFile("aspose-slides:///q3.pptx", "q3.pptx")]
    assert found("aspose-slides:///50%25%20%23.pptx") == [SourceFile("aspose-slides:///50%25%20%23.pptx", "50% #.pptx")]


def test_documents_of_a_folder_in_the_vendors_storage_are_given_one_by_one() -> None:
    root = "aspose-slides://Main/inbox/"
    for folder in (root, root.rstrip("/")):
        expected = [SourceFile(f"{root}{name}", name) for name in ("a.pptx", "sub/b.pptx")]
        assert found(folder, ["a.pptx", "sub/b.pptx"]) == expected
        [each] = found(folder, ["50%25.pptx"])
        assert read_remote(each.uri, ASPOSE_SLIDES) == RemoteDocument("inbox/50%25.pptx", "Main")


@pytest.mark.parametrize("size", [1, 7, 25, 1000])
@pytest.mark.parametrize("source", ["/", "", "/**/*.pptx", "/a b/*.pptx"])
def test_chunks_give_the_same_documents_back(source: str, size: int, place: Place) -> None:
    place.put(*(f"a b/{number:02d} #[1].pptx" for number in range(30)), *(f"{number}.pptx" for number in range(5)))
    place.put(".docconv/record/x.pptx", ".hidden.pptx", "a b/.hidden.pptx")
    everything = found(f"{place.uri}{source}")
    chunks = chunk_documents(f"{place.uri}{source}", size)
    assert [len(chunk["documents"]) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    assert 0 < len(chunks[-1]["documents"]) <= size
    items = read_specs(chunks, "pdf", None)
    to_path(place.uri).fs.invalidate_cache()
    assert [each for item in items for each in found(item.source, item.documents)] == everything


def test_nothing_makes_no_chunk(place: Place) -> None:
    place.put("~$a.pptx")
    assert chunk_documents(f"{place.uri}/") == []
    assert chunk_documents(f"{place.uri}/*.pptx") == []


def test_a_missing_folder_makes_no_chunks(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound):
        chunk_documents(f"file://{tmp_path}/none/")


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_has_a_document_at_least(size: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="at least 1"):
        chunk_documents(f"file://{tmp_path}/", size)
