"""Waiting in the worker and waiting in the triggerer end alike."""

from __future__ import annotations

from collections.abc import Callable

from dev.run import Run


def test_both_modes_end_in_the_same_xcoms(convert: Callable[..., Run]) -> None:
    plain, deferrable = convert("plain", "deck.pptx"), convert("deferrable", "deck.pptx")

    assert (plain.state, deferrable.state) == ("success", "success")
    for run in (plain, deferrable):
        assert run.xcom("start") == run.xcom("wait")
    results = [run.xcom("download") for run in (plain, deferrable)]
    assert [[set(item) for item in result] for result in results] == [[{"uri", "size", "sha256"}]] * 2
    assert results[0][0]["uri"] == results[1][0]["uri"]


def test_progress_is_in_the_task_log(convert: Callable[..., Run]) -> None:
    run = convert("encrypted", "encrypted.pptx")

    lines = [line["event"] for line in run.log("wait")]
    assert any("deferr" in line.lower() for line in lines), "it was not deferred"
    assert any("of 30" in line for line in lines), lines


def test_both_modes_fail_with_the_same_words(convert: Callable[..., Run]) -> None:
    errors = []
    for dag_id in ("plain", "deferrable"):
        run = convert(dag_id, "damaged.pptx")
        wait = run.task("wait")
        assert wait.state == "failed"
        (error,) = run.errors(wait)
        errors.append(error.replace(run.xcom("start"), "ID"))

    assert errors[0] == errors[1]
    assert "damaged.pptx: Aspose.Slides Cloud could not convert the document, saying" in errors[0]
