"""What a folder's documents are: not what nobody means as one, and only what the service converts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_docconv.batch.batch import Batch, Connections
from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.sources import Patterns, SourceSpec, find, read_specs
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.exceptions import InvalidOptions, ServiceUnavailable
from tests.support.batches import make_batch
from tests.support.hostile import Answer, Hostile
from tests.support.places import Place
from tests.support.tasks import context

CLUTTER = (
    *("~$deck.pptx", "~WRL0001.tmp", ".~lock.deck.pptx#", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini"),
    *("deck.pptx.lnk", "deck.pptx.part", "deck.pptx.crdownload", "deck.pptx.filepart", "upload.tmp", "deck.partial"),
    *("__MACOSX/._deck.pptx", "__MACOSX/deck.pptx", "_SUCCESS", "sub_$folder$", "sub/_SUCCESS", "sub/~$b.docx"),
    *(".hidden/deck.pptx", "sub/.hidden.pptx", "$RECYCLE.BIN/x.pptx", "deck.pptx.download", "deck.pptx~", "a.pptx.bak"),
)
DOCUMENTS = ("a.pptx", "sub/B.PPTX", "~t.pptx", "part.pptx", "my_$folder$.pptx", "tmp/c.pptx", "c$.pptx")
SETTINGS = {
    "decks": Settings("aspose_slides", "id", "secret"),
    "texts": Settings("groupdocs_conversion", "id", "secret"),
    "scans": Settings("aspose_ocr", "id", "secret"),
}
FORMATS = {"docx": ["pdf", "png"], "txt": ["pdf"], "pptx": ["pdf"], "msg": ["html"]}


def load(place: Place, connections: Mapping[str, str], source: object = None, **values: Any) -> Batch:
    """List a folder ``in/``; each service lists the formats above."""
    target_format = values.pop("target_format", "pdf")
    specs = read_specs(source or f"{place.uri}/in/", target_format, {})
    used = {conn_id: SETTINGS[conn_id] for conn_id in connections.values()}
    given = Connections(connections, used, values.pop("list_formats", lambda _: FORMATS))
    batch = make_batch(place.uri, specs, context(), connections=given, **values)
    batch.load(resumed=False)
    return batch


def names(batch: Batch) -> set[str]:
    return {each.request.source.rpartition("/in/")[2] for each in batch.documents.values()}


def test_what_nobody_means_as_a_document_is_none(place: Place) -> None:
    place.put(*(f"in/{name}" for name in (*CLUTTER, *DOCUMENTS)))
    for source in (f"{place.uri}/in/", f"{place.uri}/in/**/*"):
        spec = SourceSpec(source, None, "pdf", {})
        assert {each.relative for each in find(spec, [], ())} == set(DOCUMENTS)
    batch = load(place, {"*": "decks"})
    assert names(batch) == set(DOCUMENTS)
    assert not batch.left_out


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>documents</Name><IsTruncated>false</IsTruncated>
{}</ListBucketResult>"""
KEY = """<Contents><Key>{}</Key><LastModified>2026-11-30T02:00:00.000Z</LastModified><ETag>&quot;{}&quot;</ETag>
<Size>{}</Size></Contents>"""


def test_the_folder_markers_that_consoles_make_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 lists them; the servers of these tests can't have such objects."""
    keys = {"in/": 0, "in/sub/": 0, "in/empty/": 0, "in/sub/a.pptx": 7, "in/EMR_$folder$": 0, "in/empty.pptx": 0}
    contents = "".join(KEY.format(key, size, size) for key, size in keys.items())
    listing = Answer(LISTING.format(contents).encode(), headers={"Content-Type": "application/xml"})
    with Hostile(answer=lambda _: listing) as s3:
        extra = {"endpoint_url": s3.url, "region_name": "eu-central-1"}
        value = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CONSOLE", json.dumps(value))
        spec = SourceSpec("s3://console@documents/in/", None, "pdf", {})
        assert [each.relative for each in find(spec, [], ())] == ["empty.pptx", "sub/a.pptx"]


def test_keys_with_empty_parts_are_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 lists them; the servers of these tests can't have such objects."""
    keys = {"in/a//b.pptx": 7, "in/c/d.pptx": 7}
    contents = "".join(KEY.format(key, size, size) for key, size in keys.items())
    listing = Answer(LISTING.format(contents).encode(), headers={"Content-Type": "application/xml"})
    with Hostile(answer=lambda _: listing) as s3:
        extra = {"endpoint_url": s3.url, "region_name": "eu-central-1"}
        value = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EMPTY_PARTS", json.dumps(value))  # The store of a connection is kept.
        spec = SourceSpec("s3://empty_parts@documents/in/", None, "pdf", {})
        found = {each.relative: each.uri for each in find(spec, [], ())}
    assert found == {key[3:]: f"s3://empty_parts@documents/{key}" for key in keys}
    assert all(Patterns("*.pptx").fit(each) and Patterns("?/*.pptx").fit(each) for each in found)


@pytest.mark.parametrize(
    ("connections", "taken", "left_out"),
    [
        ({"*": "decks"}, {"A.PPTX", "b.odp"}, {"txt": 1, "docx": 1, "djvu": 1, "zip": 1, "": 1}),
        ({"*": "scans"}, {"d.djvu"}, {"txt": 1, "docx": 1, "pptx": 1, "odp": 1, "zip": 1, "": 1}),
        ({"*": "texts"}, {"A.PPTX", "c.docx", "notes.txt"}, {"odp": 1, "djvu": 1, "zip": 1, "": 1}),
        (
            {"*.{pptx,odp}": "decks", "*.djvu": "scans", "*": "texts"},
            {"A.PPTX", "b.odp", "c.docx", "notes.txt", "d.djvu"},
            {"zip": 1, "": 1},
        ),
        ({"*.docx": "texts"}, {"c.docx"}, {"txt": 1, "pptx": 1, "odp": 1, "djvu": 1, "zip": 1, "": 1}),
    ],
    ids=str,
)
def test_a_folder_gives_what_the_services_convert(
    connections: dict[str, str], taken: set[str], left_out: dict[str, int], place: Place
) -> None:
    place.put(*(f"in/{name}" for name in ("A.PPTX", "b.odp", "c.docx", "notes.txt", "d.djvu", "e.zip", "README")))
    batch = load(place, connections)
    assert names(batch) == taken
    assert batch.left_out == left_out
    assert batch.summary()["left_out"] == left_out


def test_what_is_left_out_is_said_by_extension(place: Place) -> None:
    place.put("in/a.pptx", "in/b.txt", "in/c.TXT", "in/README", *(f"in/x.x{number}" for number in range(10)))
    words = load(place, {"*": "decks"}).left_out_in_words()
    assert words.startswith("13 (txt 2, other extensions 2, no extension 1, x0 1, ")


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        ({"include": "*.zip"}, {"e.zip", "sub/f.ZIP"}),
        ({"include": "sub/**"}, {"sub/f.ZIP", "sub/g.pptx"}),
        ({"exclude": "sub/**"}, {"a.pptx"}),
        ({"exclude": "A*"}, {"sub/g.pptx"}),
        ({"include": ["*.{zip,pptx}"], "exclude": ["sub/*.pptx", "e*"]}, {"a.pptx", "sub/f.ZIP"}),
    ],
    ids=str,
)
def test_patterns_choose_instead_of_the_service(patterns: dict[str, Any], taken: set[str], place: Place) -> None:
    place.put(*(f"in/{name}" for name in ("a.pptx", "e.zip", "sub/f.ZIP", "sub/g.pptx", "~$a.pptx")))
    given = {name: Patterns(each) for name, each in patterns.items()}
    assert names(load(place, {"*": "decks"}, **given)) == taken


def test_a_document_that_is_named_is_one_whatever_its_name(place: Place) -> None:
    place.put("in/~$a.zip", "in/notes.txt")
    source = [f"{place.uri}/in/~$a.zip", f"{place.uri}/in/notes.txt"]
    assert names(load(place, {"*": "decks"}, source, exclude=Patterns("*.txt"))) == {"~$a.zip", "notes.txt"}


@pytest.mark.parametrize("pattern", ["*.{ppt,pptx}", "*.PPTX", "[a-m]*.p??x", "**/*.{pptx,xyz}", "?.pptx"])
def test_braces_and_letter_case_in_a_glob(pattern: str, place: Place) -> None:
    place.put("in/A.PPTX", "in/z.docx")
    assert names(load(place, {"*": "decks"}, f"{place.uri}/in/{pattern}")) == {"A.PPTX"}


@pytest.mark.parametrize("name", ["{a}.pptx", "q[1].pptx", "a*b.pptx"])
def test_a_document_whose_name_looks_like_a_pattern(name: str, place: Place) -> None:
    place.put(f"in/{name}", "in/a.pptx")
    assert names(load(place, {"*": "decks"}, f"{place.uri}/in/{name}")) == {name}


def test_a_format_that_the_service_rules_out_is_refused_before_anything_is_sent(place: Place) -> None:
    place.put("in/a.docx", "in/mail.msg")
    with pytest.raises(InvalidOptions, match="can't convert to 'pdff', only to html, pdf, png"):
        load(place, {"*": "texts"}, target_format="pdff")
    batch = load(place, {"*": "texts"}, target_format="png")
    states = {each.request.source[-5:]: each.entry for each in batch.documents.values()}
    assert states["a.docx"[-5:]].state is DocumentState.WAITING
    refused = states["l.msg"]
    assert refused.state is DocumentState.REJECTED
    assert refused.error
    assert "can't convert .msg to 'png', only to html, so it was not sent" in refused.error.what


def test_a_service_that_does_not_list_its_formats_stops_its_connection(place: Place) -> None:
    def fail(conn_id: str) -> Any:
        raise ServiceUnavailable(f"{conn_id} does not answer")

    place.put("in/a.docx", "in/b.pptx")
    batch = load(place, {"*.pptx": "decks", "*": "texts"}, list_formats=fail)
    assert names(batch) == {"a.docx", "b.pptx"}
    assert {conn_id: str(error) for conn_id, error in batch.errors.items()}.keys() == {"texts"}


def test_formats_are_asked_for_once(place: Place) -> None:
    asked = []

    def answer(conn_id: str) -> Any:
        asked.append(conn_id)
        return FORMATS

    place.put("in/a.docx", "in/b.docx", "in/c.pptx")
    load(place, {"*": "texts"}, [f"{place.uri}/in/", f"{place.uri}/in/*.docx"], list_formats=answer)
    assert asked == ["texts"]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("['s3://b/a.pptx', 's3://b/b.pptx']", ["s3://b/a.pptx", "s3://b/b.pptx"]),
        ('["s3://b/a.pptx"]', ["s3://b/a.pptx"]),
        (" [ 's3://b/a.pptx' ]\n", ["s3://b/a.pptx"]),
        ("{'source': 's3://b/a.pptx', 'target_format': 'png'}", ["s3://b/a.pptx"]),
        ("[{'folder': 's3://b/in/', 'documents': ['a.pptx']}]", ["s3://b/in/"]),
        (["['s3://b/a.pptx']"], None),
        (" s3://b/a.pptx\n", ["s3://b/a.pptx"]),
        ({"source": " s3://b/in/ "}, ["s3://b/in/"]),
        ("[s3://b/a.pptx]", None),
        ("[XComArg(<Task(x)>)]", None),
        ("[]", []),
    ],
    ids=str,
)
def test_a_list_that_was_rendered_to_text_is_read_or_refused(text: object, sources: list[str] | None) -> None:
    if sources is None:
        with pytest.raises(InvalidOptions, match="source"):
            read_specs(text, "pdf", None)
    else:
        assert [spec.source for spec in read_specs(text, "pdf", None)] == sources


@pytest.mark.parametrize("given", ["pdf", ".pdf", " pdf\n", " .pdf "])
def test_a_format_with_a_dot_or_spaces_is_one(given: str) -> None:
    specs = read_specs(["/in/a.pptx", {"source": "/in/b.pptx", "target_format": given}], given, None)
    assert [spec.target_format for spec in specs] == ["pdf", "pdf"]
