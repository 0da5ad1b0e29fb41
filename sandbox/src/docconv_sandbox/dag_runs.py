"""Runs Dags in tests, on Airflow 2.11 to 3.3, with a database of their own. Needs Airflow."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

_BUNDLE = "docconv-tests"
# These say how a task goes on, not that it has failed.
_NO_ERRORS = ("AirflowRescheduleException", "AirflowSkipException", "TaskDeferred")


class TaskResult(NamedTuple):
    """
    How a task has ended.

    :param state: Airflow's state, such as ``success`` or ``failed``.
    :param xcoms: what it has pushed, by key.
    :param error: what it has raised, if it has failed.
    """

    state: str
    xcoms: dict[str, Any]
    error: BaseException | None

    @property
    def returned(self) -> Any:
        """What the task returned."""
        return self.xcoms.get("return_value")


def run_dag(dag: Any, conf: Mapping[str, Any] | None = None) -> dict[str, TaskResult]:
    """
    Run a Dag in this process, as ``dag.test()`` does, and return how each task has ended.

    A task that defers waits in this process, too. A failed task is retried at once, whatever its ``retry_delay`` and
    ``retry_policy`` say. The instances of a mapped task are called ``task_id[0]`` and so on.

    :param dag: the Dag, from a file or made in the test.
    :param conf: the run's configuration.
    """
    from airflow.models.taskinstance import TaskInstance

    errors: dict[tuple[str, int], BaseException] = {}
    _register(dag)
    with ExitStack() as patches:
        # dag.test() sleeps for as long as the scheduler waits, which is five minutes by default.
        patches.enter_context(patch.object(TaskInstance, "next_retry_datetime", lambda ti: ti.end_date))
        for kind in {getattr(task, "operator_class", type(task)) for task in dag.tasks}:
            for name in ("execute", "resume_execution"):
                patches.enter_context(patch.object(kind, name, _noting(errors, getattr(kind, name))))
        run = dag.test(run_conf=dict(conf or {}))
    results = {}
    for ti in run.get_task_instances():
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
        error = errors.get((ti.task_id, ti.map_index)) if ti.state == "failed" else None
        results[name] = TaskResult(str(ti.state), _xcoms(ti), error)
    return results


def run_operator(operator: Any) -> TaskResult:
    """
    Run an operator or sensor as the only task of a Dag, and return how it has ended.

    :param operator: the operator, which belongs to no Dag.
    """
    try:
        from airflow.sdk import DAG
    except ImportError:  # Airflow 2
        from airflow import DAG
    import pendulum

    dag = DAG("docconv_test", schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    dag.add_task(operator)
    return run_dag(dag)[operator.task_id]


@contextmanager
def airflow_database(folder: Path) -> Iterator[None]:
    """
    Let Airflow use a new database, and logs and Dags, in a folder; nothing else is read or written.

    :param folder: an empty folder.
    """
    from airflow import __version__, settings
    from airflow.utils.db import initdb

    own = {
        # The provider keeps task state below it where Airflow has no store for it.
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    if __version__.startswith("2."):
        own["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"  # The only one there that takes SQLite.
    (folder / "dags").mkdir(exist_ok=True)

    def connect() -> None:
        settings.dispose_orm()
        settings.configure_vars()
        settings.configure_orm()

    with patch.dict(os.environ, own):
        connect()
        try:
            initdb()
            yield
        finally:
            settings.dispose_orm()
    connect()


def _register(dag: Any) -> None:
    """Do what the Dag processor does with the Dags of files: without it, Airflow refuses those that a test has made."""
    from airflow import __version__, settings

    if tuple(map(int, __version__.split(".")[:2])) < (3, 1):
        return
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel

    objects = import_module("airflow.serialization.serialized_objects")
    try:
        definitions = import_module("airflow.serialization.definitions.dag")
    except ImportError:  # Airflow 3.1
        definitions = objects
    sessions: Any = settings.Session
    session = sessions()
    session.merge(DagBundleModel(name=_BUNDLE))
    session.commit()
    serialized = objects.LazyDeserializedDAG.from_dag(dag)
    definitions.SerializedDAG.bulk_write_to_db(_BUNDLE, None, [serialized], session=session)
    SerializedDagModel.write_dag(serialized, bundle_name=_BUNDLE, session=session)
    session.commit()


def _noting(errors: dict[tuple[str, int], BaseException], call: Callable[..., Any]) -> Callable[..., Any]:
    """Note what a method of an operator raises: Airflow only logs it."""

    @functools.wraps(call)
    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(self, *args, **kwargs)
        except BaseException as error:
            if type(error).__name__ not in _NO_ERRORS:
                context = next(
                    (each for each in (*args, *kwargs.values()) if isinstance(each, Mapping) and "ti" in each), {}
                )
                errors[self.task_id, getattr(context.get("ti"), "map_index", -1)] = error
            raise

    return noted


def _xcoms(ti: Any) -> dict[str, Any]:
    from airflow import settings

    module, session = import_module("airflow.models.xcom"), settings.Session
    assert session  # noqa: S101  # the database is connected
    # Airflow 2 has read the values already.
    model = getattr(module, "XComModel", None) or module.XCom
    keys = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
    rows = session().query(model).filter_by(**keys)
    return {row.key: model.deserialize_value(row) if model.__name__ == "XComModel" else row.value for row in rows}
