"""No try of a task pays for a conversion twice."""

from __future__ import annotations

from collections.abc import Callable

from dev.run import Run


def test_a_worker_killed_after_the_start_goes_on_with_its_operation(
    convert: Callable[..., Run], starts: Callable[[], int]
) -> None:
    before = starts()
    run = convert("killed_after_start", "letter.docx", "groupdocs_conversion_default")

    assert run.state == "success"
    assert run.task("start").try_number == 2
    assert starts() == before + 1
    assert any("Resuming operation" in line["event"] for line in run.log("start", try_number=2))


def test_a_start_whose_id_was_lost_is_not_repeated_by_a_retry_but_by_a_person(
    convert: Callable[..., Run], starts: Callable[[], int]
) -> None:
    before = starts()
    run = convert("killed_before_record", "letter.docx", "groupdocs_conversion_default")

    start = run.task("start")
    assert (run.state, start.state, start.try_number) == ("failed", "failed", 2)
    assert "clear the task to start again" in run.error(start)
    assert starts() == before + 1

    run.clear("start", "wait", "download")
    assert run.wait() == "success"
    assert starts() == before + 2


def test_a_cleared_task_converts_again(convert: Callable[..., Run], starts: Callable[[], int]) -> None:
    run = convert("plain", "scan.djvu", "aspose_ocr_default")
    first, before = run.xcom("start"), starts()

    run.clear("start", "wait", "download")

    assert run.wait() == "success"
    assert starts() == before + 1
    assert run.xcom("start") != first


def test_clearing_only_the_wait_starts_nothing(convert: Callable[..., Run], starts: Callable[[], int]) -> None:
    run = convert("plain", "letter.docx", "groupdocs_conversion_default")
    first, before = run.xcom("start"), starts()

    run.clear("wait", "download")

    assert run.wait() == "success"
    assert (run.xcom("wait"), starts()) == (first, before)
