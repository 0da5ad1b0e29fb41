"""Whether a person has ended a task."""

from __future__ import annotations

from typing import Any

# What a task is after it was marked, alone or with its run. One that was cleared or has lost its worker is none of
# these: its next try goes on with the same operation.
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


def was_ended(dag_id: str, run_id: str, task_id: str, map_index: int) -> bool:
    """
    Tell whether a task that was doing something has been ended meanwhile.

    It asks Airflow, which blocks: an event loop calls it in a thread.

    :param dag_id: the Dag
    :param run_id: the run
    :param task_id: the task
    :param map_index: which of a mapped task's instances, -1 for a plain task
    """
    return str(_state(dag_id, run_id, task_id, map_index)) in _ENDED


def _state(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    if not AIRFLOW_V_3_0_PLUS:
        return _state_in_database(dag_id, run_id, task_id, map_index)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, run_ids=[run_id], task_ids=[task_id], map_index=map_index
    )
    key = task_id if map_index < 0 else f"{task_id}_{map_index}"
    return states.get(run_id, {}).get(key)


def _state_in_database(dag_id: str, run_id: str, task_id: str, map_index: int) -> Any:
    # Airflow 2: its workers and triggerers have the database, and nothing else to ask.
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        return session.query(TaskInstance.state).filter_by(**key).scalar()
