"""What the tests of batches share: a folder of documents, and runs over it as Airflow has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_docconv.compat import TaskDeferred
from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator
from dev.sandbox import Sandbox
from docconv_sandbox import expected_result
from tests.support.tasks import context, fire

RESULT = 2048


class BatchRuns:
    """
    A folder of documents, and runs of a task over it.

    :param folder: for ``in`` and ``out``
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.deferred: list[dict[str, Any]] = []
        (folder / "in").mkdir(exist_ok=True)

    def put(self, *names: str, content: bytes = b"") -> None:
        for name in names:
            path = self.folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"PK\x03\x04" + content + f" {path}".encode())

    @property
    def uri(self) -> str:
        return f"file://{self.folder}"

    def run(self, run_id: str = "run 1", max_tries: int = 2, map_index: int = -1, **values: Any) -> Any:
        """Run the task to its end, through as many triggers as it takes."""
        fields = {
            "task_id": "t",
            "source": f"{self.uri}/in/",
            "destination": f"{self.uri}/out/",
            "target_format": "pdf",
            "conn_id": "docs",
            "grace": 0.2,
            "poke_interval": 0.1,
            **values,
        }
        given = context(run_id=run_id, max_tries=max_tries, map_index=map_index)
        try:
            return ConvertDocumentsOperator(**fields).execute(given)
        except TaskDeferred as first:
            deferred = first
        while True:
            self.deferred.append(deferred.trigger.serialize()[1])
            event = {"event": fire(deferred.trigger)}
            try:
                return ConvertDocumentsOperator(**fields).resume_execution(deferred.method_name, event, given)
            except TaskDeferred as again:
                deferred = again

    def results(self, suffix: str = ".pdf") -> set[str]:
        """Return the names of everything at the destination but the batch's own folder."""
        out = self.folder / "out"
        found = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] != ".docconv"}

    def report(self) -> dict[str, dict[str, Any]]:
        """Return the lines of the newest report, by the documents' names."""
        reports = (self.folder / "out" / ".docconv" / "reports").rglob("*.jsonl")
        newest = max(reports, key=lambda path: path.stat().st_mtime_ns)
        lines = map(json.loads, newest.read_text().splitlines())
        return {line["source"].rpartition("/in/")[2]: line for line in lines}

    def states(self) -> dict[str, str]:
        return {name: line["state"] for name, line in self.report().items()}

    def is_exact(self, name: str, result: str) -> bool:
        digest = hashlib.sha256((self.folder / "in" / name).read_bytes()).hexdigest()
        return (self.folder / "out" / result).read_bytes() == expected_result(digest, RESULT)

    def created(self, echo: Sandbox) -> dict[str, int]:
        """Return how many operations the service has created for each document as it is now."""
        sources: Mapping[str, Any] = echo.stats()["sources"]
        paths = [path for path in (self.folder / "in").rglob("*") if path.is_file()]
        digests = {str(path.relative_to(self.folder / "in")): hashlib.sha256(path.read_bytes()) for path in paths}
        return {name: sources.get(digest.hexdigest(), {}).get("created", 0) for name, digest in digests.items()}

    def written(self) -> str:
        """Return everything that the batch has written for itself, as one text."""
        own = [path.read_text() for path in (self.folder / "out" / ".docconv").rglob("*") if path.is_file()]
        return "\n".join([*own, json.dumps(self.deferred)])


def calls(echo: Sandbox) -> int:
    """Count everything that a service was asked."""
    return sum(echo.stats(details=False)["calls"].values())
