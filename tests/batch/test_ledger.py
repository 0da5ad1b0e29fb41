"""The ledger beside the results: read by every task, written by one, and never half."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.batch.record import ConversionRequest, Entry, Header, Ledger, Progress
from airflow_provider_docconv.batch.sources import Naming
from airflow_provider_docconv.exceptions import ConversionFailed, DestinationUnwritable, RecordDamaged
from airflow_provider_docconv.services.catalog import ASPOSE_SLIDES
from airflow_provider_docconv.task_state import path_name
from airflow_provider_docconv.transfer.object_storage import to_path
from tests.support.places import Place
from tests.support.tasks import Store, context

HEADER = Header("run-1", 1_764_000_000.5, {"start": 3, "status": 40})
NOW = time.time_ns() // 1000
DAY = 86400 * 1_000_000


def wanted(name: str = "a") -> ConversionRequest:
    return ConversionRequest(
        f"s3://b/{name}.pptx", f"s3://b/pdf/{name}.pdf", "pdf", 0, "f" * 64, versioned=True, size=7
    )


def entry(name: str = "a", **values: Any) -> Entry:
    return Entry(wanted(name).key, "f" * 64, **{"progress": Progress.WAITING, "run": "run-1", "seq": NOW, **values})


def lines(*names: str) -> list[tuple[ConversionRequest, Entry]]:
    return [(wanted(name), entry(name)) for name in names]


@pytest.fixture
def folder(place: Place) -> Any:
    return to_path(f"{place.uri}/.docconv/ledger")


@pytest.fixture
def local(tmp_path: Path) -> Any:
    return to_path(f"file://{tmp_path}/ledger")


def test_a_file_that_another_task_replaces_meanwhile_is_read_as_it_is_then(folder: Any, place: Place) -> None:
    """As chunks of one folder do, of which one begins while the other ends; s3fs refuses what has another ETag."""
    Ledger(folder, "a.jsonl").write(HEADER, lines("a"), [])
    Ledger(folder, "b.jsonl").write(HEADER, lines("b"), [])
    found = Ledger(folder, "a.jsonl").entries()
    read = [next(found)[0]]
    # By somebody else: this process's driver does not get to know.
    place.put(".docconv/ledger/b.jsonl", content=written_by_others("c", "d"))
    read += [each for each, _ in found]
    assert [each.key for each in read] == [wanted(name).key for name in ("a", "c", "d")]


def written_by_others(*names: str) -> bytes:
    rows = [{"ledger": asdict(HEADER)}, *({**each.to_json(), "wanted": asdict(what)} for what, each in lines(*names))]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_what_was_written_is_read(folder: Any) -> None:
    results = [{"uri": "s3://b/pdf/a.pdf", "size": 5, "sha256": "0" * 64}]
    rows = [
        (wanted("a"), entry("a", progress=Progress.DELIVERED, operation_id="op-1", started=1.5, results=results)),
        (wanted("caf\udce9 ☃\n"), entry("caf\udce9 ☃\n").failed(ConversionFailed("no", service_message="😀\u2028"))),
    ]
    others = [entry("c", max_tries=3, attempts=2, lost_replies=1)]
    ledger = Ledger(folder, "d.t.jsonl")
    ledger.write(HEADER, iter(rows), iter(others))
    for reader in (ledger, Ledger(folder, "d.t.jsonl")):
        header, found = reader.own() or pytest.fail("it is not there")
        assert header == HEADER
        assert list(found) == [*rows, (None, others[0])]
        assert list(reader.entries()) == [(each, True) for each in [rows[0][1], rows[1][1], *others]]


def test_a_ledger_is_written_anew_as_a_whole(folder: Any) -> None:
    ledger = Ledger(folder, "d.t.jsonl")
    ledger.write(HEADER, lines("a", "b"), [])
    ledger.write(Header("run-2", 2.0), lines("c"), [])
    header, found = ledger.own() or pytest.fail("it is not there")
    assert header == Header("run-2", 2.0, {})
    assert list(found) == lines("c")


def test_before_the_first_run_there_is_nothing(folder: Any) -> None:
    ledger = Ledger(folder, "d.t.jsonl")
    assert ledger.own() is None
    assert list(ledger.entries()) == []


def test_an_empty_batch_has_a_ledger(folder: Any) -> None:
    ledger = Ledger(folder, "d.t.jsonl")
    ledger.write(HEADER, [], [])
    header, found = ledger.own() or pytest.fail("it is not there")
    assert (header, list(found)) == (HEADER, [])


def test_the_files_of_all_tasks_are_read_and_the_own_one_told_apart(folder: Any) -> None:
    ledgers = [Ledger(folder, f"d.t.{number}.jsonl") for number in range(3)]
    for number, ledger in enumerate(ledgers):
        ledger.write(HEADER, lines(f"a{number}", "shared"), [])
    for number, ledger in enumerate(ledgers):
        found = list(ledger.entries())
        assert len(found) == 6
        assert [each for each, own in found if own] == [entry(f"a{number}"), entry("shared")]


def test_other_files_in_the_folder_are_none_of_its_business(place: Place, folder: Any) -> None:
    place.put(".docconv/ledger/notes.txt", ".docconv/ledger/.docconv-12.part", ".docconv/ledger/d.t.jsonl.bak")
    Ledger(folder, "d.t.jsonl").write(HEADER, lines("a"), [])
    assert len(list(Ledger(folder, "d.u.jsonl").entries())) == 1


def test_what_is_no_longer_listed_is_remembered_for_ninety_days(folder: Any) -> None:
    ages = {"new": 0, "old": 89, "older": 91, "oldest": 9999}
    others = [entry(name, seq=NOW - days * DAY) for name, days in ages.items()]
    ancient = [(wanted("listed"), entry("listed", seq=1))]
    ledger = Ledger(folder, "d.t.jsonl")
    ledger.write(HEADER, ancient, others)
    assert [each for each, _ in ledger.entries()] == [ancient[0][1], *others[:2]]


def broken(after: int) -> Iterator[tuple[ConversionRequest, Entry]]:
    for number in range(after):
        yield wanted(f"{number}"), entry(f"{number}")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("after", [0, 3, 20_000])
def test_a_write_that_fails_leaves_the_old_file(after: int, place: Place, folder: Any) -> None:
    ledger = Ledger(folder, "d.t.jsonl")
    with pytest.raises(DestinationUnwritable):
        ledger.write(HEADER, broken(after), [])
    assert ledger.own() is None
    ledger.write(HEADER, lines("a"), [])
    with pytest.raises(DestinationUnwritable, match=r"ledger/d\.t\.jsonl can't be written \(No space left on device\)"):
        ledger.write(Header("run-2", 2.0), broken(after), [])
    assert [each for each, _ in ledger.entries()] == [entry("a")]
    assert list(place.files()) == [".docconv/ledger/d.t.jsonl"]


def test_a_destination_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    ledger = Ledger(to_path(f"file://{tmp_path}/file/ledger"), "d.t.jsonl")
    assert list(ledger.entries()) == []
    with pytest.raises(DestinationUnwritable):
        ledger.write(HEADER, lines("a"), [])


def read_all(folder: Any) -> list[object]:
    """Read as a first try does, and as one that comes back from its trigger."""
    ledger = Ledger(folder, "d.t.jsonl")
    _, found = ledger.own() or pytest.fail("it is not there")
    return [*found, *ledger.entries()]


HEAD = json.dumps({"ledger": asdict(HEADER)}).encode() + b"\n"
GOOD = json.dumps({**entry().to_json(), "wanted": asdict(wanted())}).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        *(GOOD[:-20], b"<!DOCTYPE html>\n", b"\n", b"\xff\xfe\x00\n", b"null\n", b"5\n", b'"text"\n', b"[]\n", b"{}\n"),
        *(b"[" * 10**5, b'{"key": ' * 10**5, b'{"key": ' + b"9" * 5000 + b"}\n"),
    ],
    ids=range(12),
)
def test_a_line_that_is_none_is_an_error_that_says_where(line: bytes, local: Any, tmp_path: Path) -> None:
    local.mkdir()
    (tmp_path / "ledger" / "d.t.jsonl").write_bytes(HEAD + GOOD + line)
    with pytest.raises(RecordDamaged, match=r"line 3 of .*/ledger/d\.t\.jsonl can't be read") as raised:
        read_all(local)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {"key": 5},
            {"key": None},
            {"fingerprint": []},
            {"progress": "gone"},
            {"progress": {}},
            {"progress": "started"},
        ),
        *({"seq": "1"}, {"seq": 1e300}, {"seq": 10**30}, {"seq": None}, {"max_tries": "2"}, {"attempts": []}),
        *({"started": "now"}, {"ended": []}, {"run": 5}, {"operation_id": 5}, {"error": "no"}, {"error": {}}),
        *({"results": "x"}, {"results": [5]}, {"results": [{}]}, {"wanted": 5}, {"wanted": [1]}, {"wanted": "x"}),
        *({"wanted": {}}, {"wanted": {"source": "x"}}, {"started": 10**400}),
        *({"wanted": {**asdict(wanted()), "source": 5}}, {"wanted": {**asdict(wanted()), "destination": None}}),
        *({"wanted": {**asdict(wanted()), "item": "0"}}, {"wanted": {**asdict(wanted()), "size": "7"}}),
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_a_line_of_another_form_is_an_error_that_says_where(odd: Any, local: Any, tmp_path: Path) -> None:
    local.mkdir()
    line = json.dumps({**json.loads(GOOD), **odd}).encode() + b"\n"
    (tmp_path / "ledger" / "d.t.jsonl").write_bytes(HEAD + line)
    with pytest.raises(RecordDamaged, match=r"line 2 of .*/ledger/d\.t\.jsonl can't be read"):
        read_all(local)


def test_what_a_later_version_may_add_to_a_line_is_passed_over(local: Any, tmp_path: Path) -> None:
    local.mkdir()
    line = {**json.loads(GOOD), "more": 1, "wanted": {**asdict(wanted()), "more": 1}}
    (tmp_path / "ledger" / "d.t.jsonl").write_bytes(HEAD + json.dumps(line).encode() + b"\n")
    assert read_all(local) == [(wanted(), entry()), (entry(), True)]


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"\n", b"<html>\n", b"{}\n", b"[]\n", b'{"ledger": 1}\n', b'{"ledger": {}}\n', GOOD, b"[" * 10**5),
        *(json.dumps({"ledger": {**asdict(HEADER), "form": form}}).encode() for form in (0, 2, "1", None, [1])),
        *(json.dumps({"ledger": {**asdict(HEADER), "began": began}}).encode() for began in ("now", [5], {}, 1e400)),
        *(json.dumps({"ledger": {**asdict(HEADER), "began": began}}).encode() for began in (10**400, 1e300, -1e300)),
    ],
    ids=range(21),
)
def test_a_file_without_its_first_line_is_an_error_that_names_it(head: bytes, local: Any, tmp_path: Path) -> None:
    local.mkdir()
    (tmp_path / "ledger" / "d.t.jsonl").write_bytes(head)
    with pytest.raises(RecordDamaged, match=r"/ledger/d\.t\.jsonl"):
        read_all(local)
    with pytest.raises(RecordDamaged, match=r"/ledger/d\.t\.jsonl"):
        list(Ledger(local, "other.jsonl").entries())


@given(st.binary(max_size=60), st.integers(0, len(HEAD + GOOD)), st.integers(0, 60))
def test_whatever_happened_to_a_file_it_is_read_or_an_error_says_so(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int, cut: int
) -> None:
    path = tmp_path_factory.mktemp("ledger")
    content = HEAD + GOOD
    (path / "d.t.jsonl").write_bytes(content[:place] + junk + content[place + cut :])
    with suppress(RecordDamaged):
        read_all(to_path(f"file://{path}"))


@given(st.text(max_size=12) | st.sampled_from(["..", ".", "/", "../../x", "a/b", "a.b", "~", "a\0b", "%2E", "C:\\x"]))
def test_no_name_of_a_dag_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.mktemp("place")
    own = f"{path_name(name)}.{path_name(name)}.jsonl"
    ledger = Ledger(to_path(f"file://{root}/in/ledger"), own)
    ledger.write(HEADER, lines("a"), [])
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "in" / "ledger" / own]
    assert list(ledger.entries()) == [(entry("a"), True)]


@given(st.lists(st.text(max_size=4) | st.sampled_from(["a.b", "a", "b", "c"]), min_size=4, max_size=4))
def test_two_tasks_never_share_a_file(names: list[str]) -> None:
    first, second = (tuple(names[:2]), tuple(names[2:]))
    files = {".".join(map(path_name, pair)) for pair in (first, second)}
    assert len(files) == len({first, second})


@pytest.mark.parametrize(
    "names",
    [
        {"dag_id": "a" * 250, "task_id": "t"},
        {"dag_id": "d", "task_id": "group." * 41 + "task"},
        {"dag_id": "d" * 130, "task_id": "t" * 130, "map_index": 1023},
        {"dag_id": "überweisung_" * 20, "task_id": "日本語" * 80},
        {"run_id": "manual__" + "r" * 242},
    ],
    ids=range(5),
)
@pytest.mark.parametrize("store", [True, False])
def test_the_longest_names_that_airflow_takes_have_files(store: bool, names: dict[str, Any], tmp_path: Path) -> None:
    ti = context(Store() if store else None, **names)
    naming = Naming(f"file://{tmp_path}/pdf/")
    batch = Batch([], naming, ASPOSE_SLIDES, ti, full_refresh=False, start_again=True)
    with batch.table:
        batch.list()
        batch.journal.write(entry())
        batch.checkpoint()
        batch.write_report(batch.summary())
    assert all(path.is_relative_to(tmp_path / "pdf" / ".docconv") for path in tmp_path.rglob("*") if path.is_file())
    assert len(list((tmp_path / "pdf" / ".docconv" / "ledger").iterdir())) == 1
