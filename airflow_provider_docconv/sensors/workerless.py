"""
Waits that no worker begins or ends.

What holds on Airflow 3.3.2, measured: the trigger of a task that starts in the triggerer is made from the Dag as it was
parsed. Its templates are rendered there, but an XComArg arrives as the text of its ``repr``, an ``xcom_pull`` without
``map_indexes`` waits for ever, and nothing of the operator's own code runs. What ends there emits no asset events, and
its ``on_success_callback`` reaches the Dag processor, which passes it over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_docconv.sensors.docconv import ConversionSensor

_TRIGGER = "airflow_provider_docconv.triggers.docconv.ConversionTrigger"
_WITHOUT_INDEX = re.compile(r"xcom_pull\s*\((?!(?:(?!xcom_pull).)*map_indexes\s*=\s*(?!None))", re.DOTALL)
# What a worker would do before it starts the wait, and after it.
_NEEDS_WORKER = {
    "start_from_trigger": ("pre_execute", "on_execute_callback"),
    "end_from_trigger": ("post_execute", "on_success_callback", "outlets"),
}


def leave_out_workers(sensor: ConversionSensor, *, start: bool) -> None:
    """
    Let the triggerer begin and end a sensor's wait, where Airflow can.

    :param sensor: the sensor, which says whether to end it there
    :param start: whether to begin it there
    :raises ValueError: if the sensor has or does what only a worker can do
    """
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

    if sensor.end_from_trigger:
        refuse_worker(sensor.task_id, "end_from_trigger", _given(sensor))
        sensor.end_from_trigger = AIRFLOW_V_3_3_PLUS
    if start:
        refuse_worker(sensor.task_id, "start_from_trigger", _given(sensor))
        kwargs = _trigger_kwargs(sensor)
        if AIRFLOW_V_3_3_PLUS:
            from airflow.triggers.base import StartTriggerArgs

            sensor.start_from_trigger = True
            sensor.start_trigger_args = StartTriggerArgs(
                trigger_cls=_TRIGGER,
                trigger_kwargs=kwargs,
                next_method="execute_complete",
                timeout=timedelta(seconds=sensor.timeout),
            )


def refuse_worker(task_id: str, option: str, given: Mapping[str, Any]) -> None:
    """
    Check that a sensor needs no worker where it is to have none.

    :param task_id: the sensor's
    :param option: ``start_from_trigger`` or ``end_from_trigger``
    :param given: what the sensor was given
    :raises ValueError: if it needs one
    """
    for name in _NEEDS_WORKER[option]:
        if given.get(name):
            raise ValueError(f"{task_id}: {name} needs a worker; leave it out, or leave {option} out")
    if option == "end_from_trigger" and not given.get("do_xcom_push", True):
        raise ValueError(f"{task_id}: with end_from_trigger the triggerer pushes the XCom; it can't be left out")


def _trigger_kwargs(sensor: ConversionSensor) -> dict[str, Any]:
    return {
        "operation_id": _rendered_there(sensor, "operation_id"),
        "conn_id": _rendered_there(sensor, "conn_id"),
        "poke_interval": sensor.poke_interval,
        "max_poke_interval": sensor.max_poke_interval,
        "fault_tolerance": sensor.fault_tolerance,
        "cancel_on_kill": sensor.cancel_on_kill,
        "end_from_trigger": sensor.end_from_trigger,
    }


def _given(sensor: ConversionSensor) -> dict[str, Any]:
    # The hooks are methods of the base class; what a Dag gives is kept beside them.
    hooks = {f"{name}_execute": getattr(sensor, f"_{name}_execute_hook", None) for name in ("pre", "post")}
    return {**vars(sensor), **hooks}


def _rendered_there(sensor: ConversionSensor, name: str) -> str:
    """Return a field as a template that the triggerer can render."""
    value = getattr(sensor, name)
    if not isinstance(value, str):
        value = _as_template(sensor, name, value)
    if _WITHOUT_INDEX.search(value):
        raise ValueError(
            f"{sensor.task_id}: {name} pulls an XCom without map_indexes, which never ends in a task that starts from "
            "the trigger; add map_indexes=-1, or ti.map_index for a task of the same mapped group"
        )
    return value


def _as_template(sensor: ConversionSensor, name: str, value: Any) -> str:
    from airflow.sdk.definitions.mappedoperator import MappedOperator
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    if not isinstance(value, PlainXComArg) or isinstance(value.operator, MappedOperator):
        raise ValueError(
            f"{sensor.task_id}: a task that starts from the trigger needs its {name} as a text, a template or the "
            "output of one task, because nothing else is resolved there"
        )
    # A task of the same mapped group has pushed under the same index, any other one under none.
    group = sensor.get_closest_mapped_task_group()
    same = group is not None and value.operator.get_closest_mapped_task_group() is group
    index = "ti.map_index" if same else "-1"
    return f"{{{{ ti.xcom_pull(task_ids={value.operator.task_id!r}, key={value.key!r}, map_indexes={index}) }}}}"
