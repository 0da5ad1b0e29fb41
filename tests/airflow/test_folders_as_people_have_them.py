"""Folders, destinations and templates as people have them, on a disk and on a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowFailException, AirflowSkipException
from dev.sandbox import Sandbox
from tests.support.batch_runs import BatchRuns
from tests.support.places import Place
from tests.support.tasks import CLIENT_ID, SECRET, connect

BLANK = b"PK\x03\x04"


class PlacedRuns(BatchRuns):
    """Runs over a folder that may be in a bucket of a real S3 server."""

    def __init__(self, place: Place, client: Any) -> None:
        super().__init__(place.folder)
        self._place = place
        self._client = client

    @property
    def uri(self) -> str:
        return self._place.uri

    def put(self, *names: str, content: bytes = b"") -> None:
        for name in names:
            self.write(name, BLANK + content + name.encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a document as other programs do."""
        if self._client:
            self._client.put_object(Bucket="results", Key=self._key(name), Body=content)
        else:
            self._place.put(f"in/{name}", content=content)

    def remove(self, name: str) -> None:
        if self._client:
            self._client.delete_object(Bucket="results", Key=self._key(name))
        else:
            (self.folder / "in" / name).unlink()

    def _key(self, name: str) -> str:
        return f"{self.folder.name}/in/{name}"


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    login = ("--client-id", CLIENT_ID, "--client-secret", SECRET)
    with Sandbox(tmp_path_factory.mktemp("echo") / "log", "--engine", "echo", *login) as echo:
        echo.wait_until_healthy()
        yield echo


@pytest.fixture
def runs(place: Place, echo: Sandbox, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PlacedRuns:
    connect(monkeypatch, echo.url)
    on_s3 = place.uri.startswith("s3")
    return PlacedRuns(place, request.getfixturevalue("s3").client() if on_s3 else None)


CLUTTER = (
    *("~$deck.pptx", "~WRL0001.tmp", ".~lock.a.pptx#", ".DS_Store", "Thumbs.db", "desktop.ini", "a.pptx.lnk"),
    *("__MACOSX/._a.pptx", "sub_$folder$", "_SUCCESS", "_temporary/0/a.pptx", "#recycle/a.pptx", "a.pptx.part"),
    *("a.pptx.crdownload", "a.pptx.filepart", "a.pptx.!qB", "a.pptx.tmp", "~snapshot/a.pptx"),
)


def test_an_untidy_folder_is_green_and_says_what_it_left_out(runs: PlacedRuns) -> None:
    runs.put("a.pptx", "sub/B.PPTX", "notes.txt", "more.TXT", "all.zip", "README", *CLUTTER)
    summary = runs.run()
    assert (summary["documents"], summary["delivered"]) == (2, 2)
    assert summary["left_out"] == {"txt": 2, "zip": 1, "": 1}
    assert runs.results() == {"a.pdf", "sub/B.pdf"}
    assert runs.run("run 2")["skipped"] == 2


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("['{uri}/in/a.pptx', '{uri}/in/sub/B.PPTX']", None),
        ('["{uri}/in/a.pptx", "{uri}/in/sub/B.PPTX"]\n', None),
        ("{uri}/in/**/*.{ppt,pptx}", None),
        ("  {uri}/in \n", None),
        ("{uri}/inn/", "can't be listed"),
        ("{uri}/inn/*.pptx", "can't be listed"),
    ],
)
def test_sources_as_templates_and_people_give_them(source: str, says: str | None, runs: PlacedRuns) -> None:
    runs.put("a.pptx", "sub/B.PPTX")
    given = source.replace("{uri}", runs.uri)
    if says is None:
        assert runs.run(source=given)["delivered"] == 2
    else:
        with pytest.raises(exceptions.SourceNotFound, match=says) as raised:
            runs.run(source=given)
        assert isinstance(raised.value, AirflowFailException)
        assert "connection 'docs'" in str(raised.value)


def test_nothing_found_is_skipped_or_fails(runs: PlacedRuns) -> None:
    runs.put("a.key")
    with pytest.raises(AirflowSkipException, match=r"No document was found in .*left out: 1 \(key 1\)"):
        runs.run()
    with pytest.raises(exceptions.NoDocumentsFound):
        runs.run(source=f"{runs.uri}/in/*.{{ppt,pptx}}", on_no_documents="fail")
    assert runs.run(on_no_documents="succeed")["documents"] == 0


@pytest.mark.parametrize(
    ("destination", "results"),
    [
        ("{uri}/out", {"a.pdf", "sub/B.pdf"}),
        (" {uri}/out/\n", {"a.pdf", "sub/B.pdf"}),
        ("{uri}/out/{folder}/", {"a.pdf", "sub/B.pdf"}),
        ("{uri}/out/{format}/", {"pdf/a.pdf", "pdf/sub/B.pdf"}),
        ("{uri}/out/{extension}/x", {"pptx/x/a.pdf", "pptx/x/sub/B.pdf"}),
        ("{uri}/out/{stem}", {"a", "B"}),
        ("{uri}/out/{stem}-{extension}.{format}", {"a-pptx.pdf", "B-pptx.pdf"}),
    ],
)
def test_a_destination_means_what_it_looks_like(destination: str, results: set[str], runs: PlacedRuns) -> None:
    runs.put("a.pptx", "sub/B.PPTX")
    assert runs.run(destination=destination.replace("{uri}", runs.uri))["delivered"] == 2
    assert runs.results() == results


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"destination": "out/rel/"}, "is a relative path: expected an absolute path or a URI"),
        ({"destination": "{uri}/out/{fromat}/"}, "with the fields {folder}, {name}, {stem}"),
        ({"destination": "{uri}/out/{stem}.docx"}, r"ends with \.docx, but the results are pdf files"),
        ({"record": "state/"}, "the record 'state/' is a relative path"),
        ({"record": "None"}, "record is 'None': expected a path or URI"),
        ({"quarantine": "aside"}, "the quarantine 'aside' is a relative path"),
        ({"quarantine": "{uri}/in"}, "every run would find the copies"),
        ({"quarantine": "{uri}/in/", "source": "{uri}/in/**/*.pptx"}, "every run would find the copies"),
        ({"conn_id": {}}, "expected the id of a connection, or a mapping"),
        ({"conn_id": {"*.pptx": None}}, "expected the id of a connection, or a mapping"),
        ({"include": "{uri}/in/*.pptx"}, "fits no document"),
        ({"exclude": ["*.docx", " "]}, "fits no document"),
        ({"include": 7}, "include 7 fits no document"),
        ({"target_format": "pfd"}, "can't convert to 'pfd', only to"),
        ({"options": {"pasword": "x"}}, "no option 'pasword'"),
        ({"source": "[oops"}, None),
    ],
    ids=str,
)
def test_what_can_not_be_right_is_refused_before_anything_is_sent(
    values: dict[str, Any], says: str | None, runs: PlacedRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs.put("a.pptx")
    given = {key: each.replace("{uri}", runs.uri) if isinstance(each, str) else each for key, each in values.items()}
    with pytest.raises((exceptions.InvalidOptions, exceptions.SourceNotFound), match=says) as raised:
        runs.run(**given)
    assert len(str(raised.value).splitlines()) == 1
    assert "connection 'docs'" in str(raised.value) or not isinstance(given.get("conn_id", ""), str)
    assert runs.results() == set()
    assert not list(tmp_path.glob("*/state"))
    assert not (tmp_path / "None").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"include": "['*.pptx', '*.odp']", "exclude": '["drafts/"]'},
        {"include": ["*.{pptx,odp}"], "exclude": "/drafts/**"},
        {"include": " *.[op][dp]* ", "exclude": "./drafts/"},
        {"conn_id": "{'drafts/': 'nobody', '*.{pptx,odp}': 'docs'}", "exclude": "Drafts/"},
        {"conn_id": '{"*.pptx": "docs", "*.odp": "docs "}', "exclude": "drafts/*"},
        {"include": "None", "exclude": "{drafts,other}/**"},
    ],
    ids=str,
)
def test_patterns_as_templates_and_people_give_them(
    values: dict[str, Any], runs: PlacedRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "http://127.0.0.1:9", conn_id="nobody")
    runs.put("a.pptx", "sub/b.odp", "drafts/c.pptx")
    assert runs.run(**values)["delivered"] == 2
    assert runs.results() == {"a.pdf", "sub/b.pdf"}


def test_names_that_differ_in_letter_case_or_accents_only(runs: PlacedRuns) -> None:
    runs.put("Deck.pptx", "deck.pptx", "ü.pptx", "u\u0308.pptx")
    assert runs.run()["delivered"] == 4
    assert len(runs.results()) == 4


def test_a_long_name_is_refused_before_it_is_paid_and_stops_no_other(runs: PlacedRuns) -> None:
    names = ["a" * 242 + ".pptx", "b" * 250 + ".pptx", "c.pptx"]
    runs.put(*names)
    runs.run(target_format="tiff", on_document_error="ignore")
    # The service's results are no images, which is another matter.
    refused = {name for name, state in runs.states().items() if state == "rejected"}
    assert refused == ({names[1]} if runs.uri.startswith("file") else set())
    if refused:
        assert "its result's name has 259 bytes, and at most 255" in runs.report()[names[1]]["error"]


def test_a_key_that_a_store_would_not_take_is_refused_before_it_is_paid(runs: PlacedRuns) -> None:
    folder = "/".join(["d" * 200] * 2)
    runs.put(f"{folder}/a.pptx", "b.pptx")
    destination = f"{runs.uri}/out/{'/'.join(['e' * 200] * 3)}/"
    summary = runs.run(destination=destination, on_document_error="ignore", record=f"{runs.uri}/out/")
    expected = {"b.pptx": "delivered", f"{folder}/a.pptx": "rejected" if runs.uri.startswith("s3") else "delivered"}
    assert runs.states() == expected
    assert summary["documents"] == 2


def test_a_name_that_is_taken_stops_no_other(runs: PlacedRuns) -> None:
    """A folder is where a result should be."""
    if runs.uri.startswith("s3"):
        pytest.skip("Object stores have no folders that could be in the way")
    runs.put("a.pptx", "b.pptx")
    (runs.folder / "out" / "a.pdf").mkdir(parents=True)
    with pytest.raises(exceptions.DocumentsFailed, match="1 of 2"):
        runs.run()
    assert runs.states() == {"a.pptx": "failed", "b.pptx": "delivered"}
    (runs.folder / "out" / "a.pdf").rmdir()
    assert runs.run("run 2")["calls"].get("start", 0) == 0
    assert runs.states() == {"a.pptx": "delivered", "b.pptx": "skipped"}


@pytest.mark.parametrize("source", ["in/", "in/*", "in/**/*.*"])
def test_results_in_the_folder_of_their_sources_are_no_documents(
    source: str, runs: PlacedRuns, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GroupDocs converts PDF, too."""
    connect(monkeypatch, echo.url, "groupdocs_conversion")
    runs.put("a.docx", "b.docx")
    given = {"source": f"{runs.uri}/{source}", "destination": f"{runs.uri}/in/"}
    assert runs.run(**given)["delivered"] == 2
    for number in range(2, 4):
        summary = runs.run(f"run {number}", **given)
        assert (summary["documents"], summary["skipped"]) == (2, 2)
    assert {path.name for path in (runs.folder / "in").iterdir()} == {"a.docx", "a.pdf", "b.docx", "b.pdf", ".docconv"}


def test_destination_record_and_quarantine_below_the_sources(runs: PlacedRuns) -> None:
    runs.put("a.pptx", "sub/b.pptx")
    runs.write("broken.pptx", b"not a deck")
    given = {
        "destination": f"{runs.uri}/in/pdf",
        "quarantine": f"{runs.uri}/in/aside",
        "record": f"{runs.uri}/in/state",
        "on_document_error": "ignore",
    }
    for number, delivered in enumerate((2, 0, 0)):
        summary = runs.run(f"run {number}", **given)
        assert (summary["documents"], summary["delivered"], summary["rejected"]) == (3, delivered, 1)
        assert len(list((runs.folder / "in" / "aside").iterdir())) == 2


def test_a_copy_of_a_document_with_a_long_name_is_put_aside(runs: PlacedRuns) -> None:
    name = "ä" * 120 + ".pptx"
    runs.write(name, b"not a deck")
    runs.run(quarantine=f"{runs.uri}/aside", on_document_error="ignore")
    copies = sorted(path.name for path in (runs.folder / "aside").iterdir())
    assert len(copies) == 2
    assert all(copy.startswith("ä" * 110) and len(copy.encode()) <= 255 for copy in copies)


def test_a_result_of_one_name_is_the_last_documents(runs: PlacedRuns, echo: Sandbox) -> None:
    """One document a day, whose result always has the same name."""
    runs.put("monday.pptx", "tuesday.pptx", content=runs.uri.encode())
    latest = {"destination": f"{runs.uri}/out/latest.pdf"}
    days = ["monday", "tuesday", "tuesday", "monday", "monday"]
    for number, day in enumerate(days):
        runs.run(f"run {number}", source=f"{runs.uri}/in/{day}.pptx", **latest)
        assert runs.is_exact(f"{day}.pptx", "latest.pdf"), number
    assert runs.created(echo) == {"monday.pptx": 2, "tuesday.pptx": 1}


def test_a_result_that_another_document_has_replaced_is_not_deleted(runs: PlacedRuns) -> None:
    runs.put("other.pptx")
    runs.write("q3.ppt", b"\xd0\xcf\x11\xe0 an old deck")
    assert runs.run(on_source_deleted="delete")["delivered"] == 2
    runs.remove("q3.ppt")
    runs.put("q3.pptx")
    for number in range(2, 5):
        runs.run(f"run {number}", on_source_deleted="delete")
    assert runs.results() == {"q3.pdf", "other.pdf"}
    assert runs.is_exact("q3.pptx", "q3.pdf")


def test_thousands_of_files_that_are_left_out_make_no_large_summary(
    tmp_path: Path, echo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, echo.url)
    runs = BatchRuns(tmp_path)
    for number in range(3000):
        (tmp_path / "in" / f"x.{'e' * 30}{number}").touch()
        (tmp_path / "in" / f"y.y{number:04}").touch()
    runs.put("a.pptx", "b.txt", "c.txt")
    summary = runs.run()
    assert summary["delivered"] == 1
    assert sum(summary["left_out"].values()) == 6002
    assert summary["left_out"]["txt"] == 2
    assert len(json.dumps(summary)) < 2048


def test_what_was_left_out_is_still_known_after_a_deferral(runs: PlacedRuns, service: Callable[..., Sandbox]) -> None:
    service("--seconds", "2")
    runs.put("a.pptx", "b.txt")
    summary = runs.run(deferrable=True, grace=0.1)
    assert runs.deferred
    assert summary["left_out"] == {"txt": 1}


def test_a_bucket_that_does_not_exist_is_no_empty_folder(runs: PlacedRuns) -> None:
    missing = "s3://aws_default@no-such-bucket/in/" if runs.uri.startswith("s3") else f"{runs.uri}-missing/"
    runs.put("a.pptx")
    for source in (missing, f"{missing}*.pptx"):
        with pytest.raises(exceptions.SourceNotFound, match="the documents can't be listed, so nothing was sent"):
            runs.run(source=source, on_no_documents="succeed")
