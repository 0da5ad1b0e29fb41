"""One operation, waited for in each of the ways."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param

from airflow_provider_docconv.operators.docconv import StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

PARAMS = {
    "source": Param("", type="string"),
    "conn_id": Param("echo", type="string"),
    "kill": Param("", type="string"),
}
CONN_ID = "{{ params.conn_id }}"
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"deferrable": False},
    "deferrable": {"deferrable": True, "grace": 1.0},
    "from_trigger": {"start_from_trigger": True, "end_from_trigger": True},
}
LIMITS: dict[str, dict[str, Any]] = {
    "": {},
    "_deadline": {"timeout": 20},
    "_execution_timeout": {"execution_timeout": timedelta(seconds=15)},
}


class KilledSensor(ConversionSensor):
    """
    Its worker is killed once: while it polls, or when it comes back from the triggerer.

    :param kill: the file that says that it was killed, or nothing
    """

    template_fields = (*ConversionSensor.template_fields, "kill")

    def __init__(self, *, kill: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kill = kill

    def execute(self, context: Any) -> Any:
        if self._is_to_be_killed() and not self.deferrable:
            self._be_killed_in_second_poll()
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        if self._is_to_be_killed():
            self._be_killed()
        return super().execute_complete(context, event)

    def _is_to_be_killed(self) -> bool:
        return bool(self.kill) and not Path(self.kill).exists()

    def _be_killed_in_second_poll(self) -> None:
        from airflow_provider_docconv.hooks.docconv import DocConvHook

        polls, get_operation = count(1), DocConvHook.get_operation

        def get_and_be_killed(*arguments: Any) -> Any:
            found = get_operation(*arguments)
            if next(polls) == 2:
                self._be_killed()
            return found

        DocConvHook.get_operation = get_and_be_killed

    def _be_killed(self) -> None:
        Path(self.kill).touch()
        os.kill(os.getpid(), signal.SIGKILL)


for way, values in WAYS.items():
    for suffix, limits in LIMITS.items():
        with DAG(
            f"wait_{way}{suffix}",
            schedule=None,
            params=PARAMS,
            default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
            max_active_tasks=32,
        ) as dag:
            start = StartConversionOperator(
                task_id="start", source="{{ params.source }}", target_format="pdf", conn_id=CONN_ID
            )
            KilledSensor(
                task_id="wait",
                operation_id=start.output,
                conn_id=CONN_ID,
                source="{{ params.source }}",
                kill="{{ params.kill }}",
                poke_interval=1,
                max_poke_interval=3,
                **{**values, **limits},
            )
        globals()[dag.dag_id] = dag
