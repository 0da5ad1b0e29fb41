"""Every store by its own driver, against a real server: what is read, what is written, and what is refused."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AirflowFailException
from airflow_provider_docconv.operators.docconv import (
    ConvertDocumentsOperator,
    DownloadResultOperator,
    StartConversionOperator,
)
from airflow_provider_docconv.transfer.delivery import Destination
from airflow_provider_docconv.transfer.object_storage import ObjectFile, delete, to_path
from dev.sandbox import Sandbox
from docconv_sandbox import expected_result
from tests.support.buckets import AzureContainer, Place
from tests.support.tasks import Store, context, wait

RESULT = 2048
NAMES = ("a b", "naïve ☃ 日本", "a#b", "a#1", "what?b", "50%", "a%20b", "a+b", "a&b=c", "q[1]", "a;b,c", "a'b", "a@b:c")
UNADDRESSABLE = ("a.pdf#", "a.pdf?", "a::b.pdf", "a?versionId=1.pdf", "a?versionid=1.pdf", "a.\npdf", "a\t.pdf")
Service = Callable[..., Sandbox]


def deck(text: str) -> bytes:
    return b"PK\x03\x04" + text.encode()


def result_of(source: bytes, size: int = RESULT) -> bytes:
    return expected_result(hashlib.sha256(source).hexdigest(), size)


def start(source: str) -> str:
    return StartConversionOperator(task_id="s", source=source, target_format="pdf", conn_id="docs").execute(
        context(Store())
    )


def convert(source: str, destination: str) -> Any:
    """Start a conversion, wait for it and store its result, as three tasks do."""
    operation_id = wait({"operation_id": start(source)}, deferrable=False)
    values = {"task_id": "d", "operation_id": operation_id, "conn_id": "docs"}
    return DownloadResultOperator(**values, destination=destination).execute(context())


def convert_folder(place: Place, run_id: str, destination: str | None = None) -> Any:
    values = {"task_id": "t", "target_format": "pdf", "conn_id": "docs", "poke_interval": 0.1}
    folders = {"source": f"{place.root}/in/", "destination": destination or f"{place.root}/out/"}
    return ConvertDocumentsOperator(**values, **folders).execute(context(Store(), run_id=run_id))


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_name(name: str, place: Place, service: Service) -> None:
    service()
    place.put(f"in/{name}.pptx", deck(name))
    place.put("in/a.pptx", deck("another"))
    [stored] = convert(f"{place.root}/in/{name}.pptx", f"{place.root}/out/{name}.pdf")
    expected = result_of(deck(name))
    assert stored == {
        "uri": f"{place.root}/out/{name}.pdf",
        "size": RESULT,
        "sha256": hashlib.sha256(expected).hexdigest(),
    }
    assert place.objects() == {
        f"in/{name}.pptx": deck(name),
        "in/a.pptx": deck("another"),
        f"out/{name}.pdf": expected,
    }


def test_a_folder_run_after_run(place: Place, service: Service) -> None:
    service()
    decks = {f"{folder}{name}": deck(folder + name) for name in NAMES for folder in ("", "sub/")}
    for name, content in decks.items():
        place.put(f"in/{name}.pptx", content)
    assert convert_folder(place, "run 1")["delivered"] == len(decks)
    found = place.objects()
    assert {name: found[f"out/{name}.pdf"] for name in decks} == {name: result_of(decks[name]) for name in decks}
    [fold] = (name for name in found if name.startswith("out/.docconv/record/"))
    assert fold.startswith("out/.docconv/record/d.t/")

    changed = deck("a b")[:-1] + b"!"
    place.put("in/a b.pptx", changed)
    summary = convert_folder(place, "run 2")
    assert (summary["delivered"], summary["skipped"]) == (1, len(decks) - 1)
    assert place.objects()["out/a b.pdf"] == result_of(changed)


def test_a_result_replaces_the_one_before(place: Place, service: Service) -> None:
    service()
    place.put("out/deck.pdf", b"the result of last night")
    place.put("in/deck.pptx", deck("1"))
    convert(f"{place.root}/in/deck.pptx", f"{place.root}/out/deck.pdf")
    assert place.objects()["out/deck.pdf"] == result_of(deck("1"))


def test_a_name_that_looks_like_a_pattern_is_deleted_alone(place: Place) -> None:
    if isinstance(place, AzureContainer) and int(version("adlfs").partition(".")[0]) < 2025:
        pytest.skip("this driver can't delete a name with brackets")
    for name in ("a[1].pdf", "a1.pdf", "a*.pdf", "ab.pdf", "a?.pdf"):
        place.put(name, name.encode())
    for name in ("a[1].pdf", "a*.pdf", "a?.pdf", "none.pdf"):
        delete(to_path(f"{place.root}/{name}"))
    assert set(place.objects()) == {"a1.pdf", "ab.pdf"}


@pytest.mark.parametrize("size", [RESULT, 20 << 20], ids=["one request", "several parts"])
def test_a_store_that_denies_writing(size: int, place: Place, service: Service) -> None:
    service("--result-bytes", str(size))
    place.put("in/deck.pptx", deck("1"))
    with pytest.raises(exceptions.DestinationUnwritable, match=r"deck\.pdf can't be written \(") as raised:
        convert(f"{place.root}/in/deck.pptx", f"{place.read_only}/out/deck.pdf")
    text = str(raised.value)
    assert isinstance(raised.value, AirflowFailException)
    assert "\n" not in text
    assert text.endswith("; check the path, and that its connection may write there.")
    assert place.objects() == {"in/deck.pptx": deck("1")}


def test_a_folder_whose_results_can_not_be_written(place: Place, service: Service) -> None:
    echo = service()
    place.put("in/deck.pptx", deck("1"))
    with pytest.raises(exceptions.DestinationUnwritable, match="could not write the batch's record"):
        convert_folder(place, "run 1", f"{place.read_only}/out/")
    assert place.objects() == {"in/deck.pptx": deck("1")}
    assert echo.stats(details=False)["calls"]["start"] <= 1


@pytest.mark.parametrize("where", ["", "no such folder/"])
def test_a_missing_document(where: str, place: Place, service: Service) -> None:
    service()
    place.put("in/deck.pptx", deck("1"))
    for address in (f"{place.root}/in/{where}none.pptx", f"{place.missing}/{where}none.pptx"):
        with pytest.raises(exceptions.SourceNotFound, match="the source does not exist, so nothing was sent"):
            start(address)


@pytest.mark.parametrize("size", [5000, 9 << 20, 20 << 20], ids=["one request", "two parts", "three parts"])
def test_a_result_that_is_broken_off_is_never_seen(size: int, place: Place) -> None:
    def chunks() -> Iterator[bytes]:
        for at in range(0, size, 1 << 20):
            yield b"%PDF-1.7".ljust(min(1 << 20, size - at), b"x")
        raise KeyboardInterrupt

    place.put("out.pdf", b"the result of last night")
    with pytest.raises(KeyboardInterrupt):
        Destination(f"{place.root}/out.pdf", "X", None).write(chunks(), None, None)
    gc.collect()
    assert place.objects() == {"out.pdf": b"the result of last night"}


@pytest.mark.parametrize("mebibytes", [9, 20])
@pytest.mark.parametrize("place", ["s3", "azure", "google"], indirect=True)
def test_a_discarded_file_that_its_driver_closes_later_is_not_stored(mebibytes: int, place: Place) -> None:
    file = ObjectFile(to_path(f"{place.root}/out.pdf"))
    for _ in range(mebibytes):
        file.write(bytes(1 << 20))
    assert file._upload
    file.discard()
    file._upload.close()  # As its finalizer does.
    assert place.objects() == {}


def test_sixty_four_mebibytes_each_way(place: Place, service: Service) -> None:
    size = 64 << 20
    service("--result-bytes", str(size))
    source = deck("") + hashlib.shake_256(b"a large deck").digest(size - 4)
    place.put("in/large.pptx", source)
    [stored] = convert(f"{place.root}/in/large.pptx", f"{place.root}/out/large.pdf")
    expected = result_of(source, size)
    assert stored["sha256"] == hashlib.sha256(expected).hexdigest()
    assert place.objects()["out/large.pdf"] == expected


@pytest.mark.parametrize("name", UNADDRESSABLE)
def test_an_address_that_would_reach_another_document(name: str, place: Place, service: Service) -> None:
    echo = service()
    for decoy in ("a", "a.pdf"):
        place.put(decoy, deck(decoy))
    with pytest.raises(exceptions.InvalidOptions, match="unsupported characters in"):
        start(f"{place.root}/{name}")
    assert echo.stats(details=False)["calls"].get("start", 0) == 0
    with pytest.raises(exceptions.InvalidOptions, match="unsupported characters in"):
        Destination(f"{place.root}/{name}", "X", None).write(iter([b"%PDF-1.7"]), None, None)
    assert place.objects() == {decoy: deck(decoy) for decoy in ("a", "a.pdf")}
