"""From one run to the next: nothing is lost or paid for twice, whatever stood between the task and the service."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_docconv import exceptions
from airflow_provider_docconv.compat import AIRFLOW_VERSION, DAG, TaskDeferred
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from tests.support.batch_runs import BatchRuns
from tests.support.hostile import HTML, Answer, Hostile, Seen
from tests.support.tasks import connect, context, fire

PDF = b"%PDF-1.7\n%%EOF\n"
NAMES = ("a.pptx", "b.pptx", "c.pptx")
# What stands between a task and the service answers in forms of its own.
PLAIN_404 = Answer(b"404 page not found\n", 404, {"Content-Type": "text/plain"})
STRANGERS = {
    "a route that is gone": PLAIN_404,
    "a gateway without a route": Answer({"message": "no Route matched with those values"}, 404),
    "an ingress without a backend": Answer(b"default backend - 404", 404, {"Content-Type": "text/plain"}),
    "a page": Answer(HTML, 404),
    "a proxy that wants a login": Answer(b"Proxy Authentication Required", 407),
    "405": Answer(b"", 405),
    "410": Answer(b"", 410),
    "421": Answer(b"", 421),
}


class Slides:
    """
    A well-behaved service whose answers a test may replace for a while.

    :param start: answers a start instead, unless it returns None
    :param status: answers a poll instead, likewise
    :param result: answers a download instead, likewise
    """

    def __init__(
        self,
        start: Callable[[str], Answer | None] = lambda _: None,
        status: Callable[[str], Answer | None] = lambda _: None,
        result: Callable[[str], Answer | None] = lambda _: None,
    ) -> None:
        self.start, self.status, self.result = start, status, result
        #: How often each document was started, by its content.
        self.starts: Counter[str] = Counter()
        self.passwords: dict[str, str | None] = {}
        self.operations: dict[str, str] = {}

    def __call__(self, seen: Seen) -> Answer:
        if seen.method in ("POST", "PUT"):
            boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
            content = seen.body.split(b"--" + boundary)[-2].split(b"\r\n\r\n", 1)[1][:-2]
            name = content.decode(errors="replace").rpartition("/")[2]
            if answer := self.start(name):
                return answer
            operation_id = str(uuid.uuid4())
            self.starts[name] += 1
            self.passwords[name] = seen.headers.get("password")
            self.operations[operation_id] = name
            return Answer(operation_id.encode(), 201)
        operation_id = seen.path.partition("/async/")[2].partition("/")[0]
        name = self.operations.get(operation_id, "")
        if seen.path.endswith("/result"):
            return self.result(name) or Answer(PDF, headers={"Content-Type": "application/octet-stream"})
        return self.status(name) or Answer({"id": operation_id, "status": "Finished"})


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, slides: Slides, **options: Any) -> Iterator[Hostile]:
    with Hostile(answer=slides, **options) as server:
        connect(monkeypatch, server.url)
        yield server


def for_a_while(answer: Answer, seconds: float = 2.0) -> Callable[[str], Answer | None]:
    """Answer so for some seconds, from the first call on."""
    until: list[float] = []

    def answering(_: str) -> Answer | None:
        until.append(time.monotonic() + seconds)
        return answer if time.monotonic() < until[0] else None

    return answering


def only(name: str, answer: Answer) -> Callable[[str], Answer | None]:
    return lambda document: answer if document == name else None


class TestWhereTheRecordIs:
    def test_a_dated_destination_pays_once(self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        slides = Slides()
        runs.put(*NAMES)
        written = f"{runs.uri}/out/{{{{ ds }}}}/"
        with serving(monkeypatch, slides):
            for number, day in enumerate(("2026-11-28", "2026-11-29", "2026-11-30")):
                summary = run_as_written(runs, written, written.replace("{{ ds }}", day), f"run {day}")
                assert summary["skipped" if number else "delivered"] == 3
        assert set(slides.starts.values()) == {1}
        assert {path.parent.name for path in (runs.folder / "out").rglob("*.pdf")} == {"2026-11-28"}
        assert (runs.folder / "out" / ".docconv" / "record").is_dir()

    def test_the_record_can_be_elsewhere(self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        runs.put(*NAMES)
        record = f"{runs.uri}/kept/"
        with serving(monkeypatch, Slides()):
            assert runs.run("run 1", destination=f"{runs.uri}/one/", record=record)["delivered"] == 3
            assert runs.run("run 2", destination=f"{runs.uri}/one/", record=record)["skipped"] == 3
        assert (runs.folder / "kept" / ".docconv" / "record").is_dir()
        assert not (runs.folder / "one" / ".docconv").exists()

    @pytest.mark.parametrize(
        "given",
        [
            {"destination": "s3://{{ var.value.bucket }}/{{ ds }}/"},
            {"destination": "s3://b-{{ ts_nodash }}/pdf/"},
            {"destination": "{{ params.outbox }}/{{ data_interval_start }}/{stem}.pdf"},
            {"destination": "s3://b/pdf/", "record": "s3://b/{{ run_id }}/"},
        ],
    )
    def test_a_record_that_would_be_new_in_every_run_is_refused_at_parse(self, given: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="record"):
            operator(**given)

    @pytest.mark.parametrize(
        "destination",
        [
            "s3://b/pdf/{{ ds }}/{stem}.pdf",
            "/data/{{ run_id }}/",
            "{{ params.outbox }}/",
            "file:///out/{folder}{stem}.pdf",
        ],
    )
    def test_a_record_that_stays_is_not(self, destination: str) -> None:
        operator(destination=destination)

    def test_a_task_that_was_renamed_pays_nothing_again(self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        slides = Slides()
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            runs.run("run 1")
            assert runs.run("run 2", task_id="renamed")["skipped"] == 3
        assert set(slides.starts.values()) == {1}


KILLED = """
import os, sys, tests.support.batch_runs as support
from pathlib import Path
from airflow_provider_docconv.batch import pipeline
delivered, deliver = [], pipeline.deliver
def dying(*given):
    delivered.append(deliver(*given))
    if len(delivered) == 7:
        os.kill(os.getpid(), 9)
    return delivered[-1]
pipeline.deliver = dying
support.BatchRuns(Path(sys.argv[1])).run("run 1", max_tries=0, max_in_flight=4, max_transfers=2)
"""


def test_a_worker_killed_with_no_try_left_costs_the_next_run_nothing(
    runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = Slides()
    names = [f"{number:02}.pptx" for number in range(20)]
    runs.put(*names)
    with serving(monkeypatch, slides):
        ended = subprocess.run([sys.executable, "-c", KILLED, str(runs.folder)], env=os.environ.copy(), check=False)
        assert ended.returncode == -9
        started = slides.starts.total()
        assert 7 <= started < 20
        summary = runs.run("run 2", max_tries=0)
    assert summary["documents"] == 20
    assert {path.stem for path in (runs.folder / "out").glob("*.pdf")} == {name[:2] for name in names}
    duplicates = sum(times - 1 for times in slides.starts.values())
    # A start whose reply was on its way when the worker died is named.
    assert duplicates <= summary["lost_replies"] <= 2


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="this Airflow runs operators in main threads only")
def test_two_runs_at_once_convert_the_same_documents_and_leave_a_whole_record(
    runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_listed = threading.Barrier(2)
    first_starts = iter(range(2))
    start = DocConvHook.start

    def start_when_both_have_listed(*given: Any) -> Any:
        if next(first_starts, None) is not None:
            both_have_listed.wait(60)
        return start(*given)

    monkeypatch.setattr(DocConvHook, "start", start_when_both_have_listed)
    slides = Slides()
    runs.put(*NAMES)
    with serving(monkeypatch, slides), ThreadPoolExecutor(2) as pool:
        at_once = [pool.submit(runs.run, f"run {number}", max_transfers=1) for number in (1, 2)]
        assert [run.result()["delivered"] for run in at_once] == [3, 3]
        assert slides.starts == dict.fromkeys(NAMES, 2)
        assert runs.run("run 3")["skipped"] == 3
    assert runs.results() == {"a.pdf", "b.pdf", "c.pdf"}


class TestWhatStandsBetween:
    @pytest.mark.parametrize("where", ["start", "login"])
    @pytest.mark.parametrize("stranger", STRANGERS)
    def test_a_run_against_the_wrong_address_refuses_no_document(
        self, stranger: str, where: str, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = STRANGERS[stranger]
        runs.put(*NAMES)
        wrong = Slides(start=lambda _: answer) if where == "start" else Slides()
        with serving(monkeypatch, wrong, logins=[answer] if where == "login" else []):
            with pytest.raises(exceptions.DocConvError):
                runs.run("run 1", fault_tolerance=0.5)
            assert not set(runs.states().values()) & {"delivered", "rejected"}
        assert not wrong.starts
        right = Slides()
        with serving(monkeypatch, right):
            assert runs.run("run 2")["delivered"] == 3
        assert set(right.starts.values()) == {1}

    @pytest.mark.parametrize("status", [400, 405, 407, 410, 421])
    def test_polls_that_a_proxy_answers_end_no_conversion(
        self, status: int, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slides = Slides(status=for_a_while(Answer(b"no", status)))
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            assert runs.run()["delivered"] == 3
        assert set(slides.starts.values()) == {1}

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(b"404 page not found", 404, {"Content-Type": "text/plain"}),
            Answer({"error": {"code": "NotFound", "message": "Operation does not exist"}}, 404),
        ],
        ids=["plain", "own form"],
    )
    def test_operations_that_are_unknown_for_a_moment_are_not_paid_for_again(
        self, answer: Answer, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        once: set[str] = set()

        def unknown(name: str) -> Answer | None:
            first = name not in once
            once.add(name)
            return answer if first else None

        slides = Slides(status=unknown)
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            assert runs.run()["delivered"] == 3
        assert set(slides.starts.values()) == {1}

    def test_results_that_are_a_login_page_are_fetched_again_in_the_next_run(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slides = Slides(result=lambda _: Answer(HTML))
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            with pytest.raises(exceptions.DocumentsFailed):
                runs.run("run 1")
            assert set(runs.states().values()) == {"failed"}
            slides.result = lambda _: None
            assert runs.run("run 2")["delivered"] == 3
        assert set(slides.starts.values()) == {1}

    def test_one_document_that_a_firewall_blocks_stops_no_other(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slides = Slides(start=only("b.pptx", Answer(HTML, 403)))
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            summary = runs.run(on_document_error="ignore")
        assert (summary["delivered"], summary["unfinished"]) == (2, 0)
        assert runs.states()["b.pptx"] == "failed"


class TestRefusals:
    def test_a_refusal_ends_with_its_reasons(self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = Answer({"error": {"code": "InvalidPassword", "message": "Invalid password."}}, 400)
        slides = Slides()
        slides.start = lambda name: wrong if name == "b.pptx" and password(slides) != "right" else None
        runs.put(*NAMES)
        with serving(monkeypatch, slides) as server:
            asked = lambda: sum(call.method == "POST" for call in server.calls)  # noqa: E731 - a name for a count
            slides.seen = server  # type: ignore[attr-defined]  # for password()
            assert runs.run("run 1", on_document_error="ignore", options={"password": "wrong"})["rejected"] == 1
            before = asked()
            assert runs.run("run 2", on_document_error="ignore", options={"password": "wrong"})["rejected"] == 1
            assert asked() == before
            assert runs.run("run 3", options={"password": "right"})["delivered"] == 1
        assert set(slides.starts.values()) == {1}

    def test_documents_that_are_all_refused_alike_are_not_the_documents_fault(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusing = Answer({"error": {"code": "BadRequest", "message": "Maintenance."}}, 400)
        slides = Slides(start=lambda _: refusing)
        names = [f"{number:02}.pptx" for number in range(20)]
        runs.put(*names)
        with serving(monkeypatch, slides) as server:
            with pytest.raises(exceptions.DocConvError, match="were all refused"):
                runs.run("run 1", max_transfers=1)
            assert len([call for call in server.calls if call.method == "POST"]) < 10
            slides.start = lambda _: None
            assert runs.run("run 2")["delivered"] == 20


class TestOneDocument:
    @pytest.mark.parametrize(("tells_apart", "others"), [(True, set()), (False, {"Q3.pptx"})])
    def test_names_that_collide_are_refused_and_no_others(
        self, tells_apart: bool, others: set[str], runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a file system that tells names apart by letter case, and on one that does not."""
        if not tells_apart:
            monkeypatch.setattr("airflow_provider_docconv.batch.batch.distinguishes_names", lambda _: False)
        runs.put("q3.pptx", "q3.ppt", "Q3.pptx", "other.pptx")
        with serving(monkeypatch, Slides()):
            summary = runs.run(on_document_error="ignore")
        refused = {name for name, line in runs.report().items() if line["error_type"] == "NamesCollide"}
        assert refused == {"q3.pptx", "q3.ppt"} | others
        assert (summary["delivered"], summary["rejected"]) == (4 - len(refused), len(refused))

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(PDF, headers={"Content-Length": "9" * 5000}, length=-1),
            Answer(b"", 302, {"Location": "http://[bad"}),
            Answer(b"", 302, {"Location": "http://127.0.0.1:99999999/"}),
            Answer(PDF, headers={"Last-Modified": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}),
        ],
        ids=["length", "location", "port", "date"],
    )
    def test_an_odd_reply_to_one_document_is_its_own(
        self, answer: Answer, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slides = Slides(result=only("b.pptx", answer))
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            summary = runs.run(on_document_error="ignore", fault_tolerance=0.5)
        assert summary["delivered"] >= 2
        assert {name: state for name, state in runs.states().items() if name != "b.pptx"} == {
            "a.pptx": "delivered",
            "c.pptx": "delivered",
        }

    def test_a_document_deep_in_folders_is_one_like_others(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slides = Slides()
        runs.put(*NAMES)
        deep = "d/" * 1100 + "deep.pptx"
        try:
            # One by one: os.makedirs() does not get so deep either.
            for depth in range(1, 1101):
                (runs.folder / "in" / ("d/" * depth)).mkdir()
            runs.put(deep)
            with serving(monkeypatch, slides):
                assert runs.run()["delivered"] == 4
            assert deep.replace(".pptx", ".pdf") in {
                line["results"][0]["uri"].partition("/out/")[2] for line in runs.report().values()
            }
        finally:
            # Nor does shutil.rmtree(), with which pytest cleans up.
            subprocess.run(["rm", "-rf", runs.folder / "in", runs.folder / "out"], check=True)

    def test_whatever_one_document_raises_is_its_failure(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow_provider_docconv.batch import pipeline

        deliver = pipeline.deliver

        def odd(hook: Any, files: Any, destination: Any, *given: Any, **options: Any) -> Any:
            if "b.pdf" in str(vars(destination)):
                raise ZeroDivisionError("odd")
            return deliver(hook, files, destination, *given, **options)

        monkeypatch.setattr(pipeline, "deliver", odd)
        runs.put(*NAMES)
        with serving(monkeypatch, Slides()):
            assert runs.run(on_document_error="ignore")["delivered"] == 2
        line = runs.report()["b.pptx"]
        assert (line["state"], line["error_type"]) == ("failed", "UnexpectedError")
        assert "ZeroDivisionError (odd)" in line["error"]

    def test_sources_that_are_reordered_while_the_task_is_deferred_keep_their_passwords(
        self, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = for_a_while(Answer({"status": "Started"}), 3.0)
        slides = Slides(status=running)
        runs.put(*NAMES)
        with serving(monkeypatch, slides):
            sources = [{"source": f"{runs.uri}/in/{name}", "options": {"password": f"of-{name}"}} for name in NAMES]
            given = context(run_id="run 1")
            fields = {"deferrable": True, "grace": 0.1, "poke_interval": 0.1, "max_in_flight": 1}
            first = operator(source=sources, destination=f"{runs.uri}/out/", **fields)
            with pytest.raises(TaskDeferred) as deferred:
                first.execute(given)
            event = {"event": fire(deferred.value.trigger)}
            again = operator(source=sources[::-1], destination=f"{runs.uri}/out/", **fields)
            with contextlib.suppress(TaskDeferred):
                again.resume_execution(deferred.value.method_name, event, given)
        assert slides.passwords
        assert all(password == f"of-{name}" for name, password in slides.passwords.items())


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("said", ["Invalid password '{}'.", "{} " * 50, "x" * 290 + " {}"])
def test_a_password_that_the_service_repeats_is_written_nowhere(
    said: str, deferrable: bool, runs: BatchRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "Hunter2-geheim"
    failed = Answer({"status": "Failed", "error": {"message": said.replace("{}", secret)}})
    running = for_a_while(Answer({"status": "Started"}), 1.0)
    slides = Slides(status=lambda name: running(name) or failed)
    runs.put(*NAMES)
    with serving(monkeypatch, slides), pytest.raises(exceptions.DocumentsFailed) as raised:
        runs.run(deferrable=deferrable, options={"password": secret})
    for text in (str(raised.value), runs.written()):
        assert "unter2" not in text
        assert "Hunter" not in text


def test_a_folder_that_can_not_be_read_is_an_error(runs: BatchRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.put("a.pptx", "sub/b.pptx")

    def refused(path: str, *given: Any, **options: Any) -> Any:
        if path.endswith("/sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path, *given, **options)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", refused)  # root may read anything
    with serving(monkeypatch, Slides()), pytest.raises(exceptions.SourceNotFound, match="Permission denied"):
        runs.run()


def password(slides: Any) -> str | None:
    """Return the password of the newest start."""
    found: str | None = slides.seen.seen[-1].headers.get("password")
    return found


def operator(**values: Any) -> ConvertDocumentsOperator:
    fields = {"task_id": "t", "source": "s3://b/in/", "target_format": "pdf", "conn_id": "docs", **values}
    with DAG("d", schedule=None):
        return ConvertDocumentsOperator(**{"destination": "s3://b/pdf/", **fields})


def run_as_written(runs: BatchRuns, written: str, rendered: str, run_id: str) -> Any:
    """Run a task whose destination Airflow has rendered."""
    task = ConvertDocumentsOperator(
        task_id="t", source=f"{runs.uri}/in/", target_format="pdf", conn_id="docs", destination=written
    )
    task.destination = rendered
    return task.execute(context(run_id=run_id))
