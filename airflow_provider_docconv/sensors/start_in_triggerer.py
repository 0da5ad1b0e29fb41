"""
Lets a sensor's wait start in the triggerer, without a worker.

What holds on Airflow 3.3.2, measured: the trigger of a task that starts in the triggerer is made from the Dag as it was
parsed. Its templates are rendered there, but an XComArg arrives as the text of its ``repr``, an ``xcom_pull`` without
``map_indexes`` never returns, and none of the operator's own code runs. A task that ends there emits no asset events,
and its ``on_success_callback`` reaches the Dag processor, which ignores it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.compat import BaseSensorOperator

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from airflow.triggers.base import StartTriggerArgs

_TRIGGER = "airflow_provider_docconv.triggers.docconv.ConversionTrigger"
_WITHOUT_INDEX = re.compile(r"xcom_pull\s*\((?!(?:(?!xcom_pull).)*map_indexes\s*=\s*(?!None))", re.DOTALL)
# What a worker would do before the wait, and after it.
_WORKER_HOOKS = {
    "start_from_trigger": ("pre_execute", "on_execute_callback"),
    "end_from_trigger": ("post_execute", "on_success_callback", "outlets"),
}


def require_no_worker_hooks(sensor: BaseSensorOperator | OperatorPartial, option: str) -> None:
    """
    Check that a sensor has nothing that only a worker can do.

    :param sensor: the sensor, mapped or not
    :param option: ``start_from_trigger`` or ``end_from_trigger``
    :raises ValueError: if it has
    """
    if isinstance(sensor, BaseSensorOperator):
        # The hooks are methods of the base class; the Dag's own functions are in attributes beside them.
        hooks = {f"{name}_execute": getattr(sensor, f"_{name}_execute_hook", None) for name in ("pre", "post")}
        given = {**vars(sensor), **hooks}
    else:
        given = sensor.kwargs
    task_id = given["task_id"]
    for name in _WORKER_HOOKS[option]:
        if given.get(name):
            raise ValueError(f"{task_id}: {name} needs a worker; omit it, or omit {option}")
    if option == "end_from_trigger" and not given.get("do_xcom_push", True):
        raise ValueError(f"{task_id}: do_xcom_push=False needs a worker; omit it, or omit {option}")


def start_in_triggerer(sensor: BaseSensorOperator, **trigger_kwargs: Any) -> StartTriggerArgs:
    """
    Return the arguments that let Airflow start a sensor's wait in the triggerer.

    :param sensor: the sensor
    :param trigger_kwargs: what the trigger is given besides ``operation_id`` and ``conn_id``
    :raises ValueError: if a field of the sensor can't be resolved in the triggerer
    """
    from airflow.triggers.base import StartTriggerArgs  # Only needed here; importing it takes 12 ms.

    fields = {name: _template(sensor, name) for name in ("operation_id", "conn_id")}
    return StartTriggerArgs(
        trigger_cls=_TRIGGER,
        trigger_kwargs={**fields, **trigger_kwargs},
        next_method="execute_complete",
        timeout=timedelta(seconds=sensor.timeout),
    )


def _template(sensor: BaseSensorOperator, name: str) -> str:
    """Return a field as a template that the triggerer can render."""
    value = getattr(sensor, name)
    if not isinstance(value, str):
        value = _xcom_template(sensor, name, value)
    if _WITHOUT_INDEX.search(value):
        raise ValueError(
            f"{sensor.task_id}: {name} pulls an XCom without map_indexes, which never returns in a task that starts in "
            "the triggerer; add map_indexes=-1, or ti.map_index for a task of the same mapped group"
        )
    return value


def _xcom_template(sensor: BaseSensorOperator, name: str, value: Any) -> str:
    from airflow.sdk.definitions.mappedoperator import MappedOperator  # Airflow 2 has neither.
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    if not isinstance(value, PlainXComArg) or isinstance(value.operator, MappedOperator):
        raise ValueError(
            f"{sensor.task_id}: {name} must be a string, a template or the output of one task, because nothing else "
            "can be resolved in the triggerer"
        )
    # A task of the same mapped group pushed with the same index, any other task without one.
    group = sensor.get_closest_mapped_task_group()
    same = group is not None and value.operator.get_closest_mapped_task_group() is group
    index = "ti.map_index" if same else "-1"
    return f"{{{{ ti.xcom_pull(task_ids={value.operator.task_id!r}, key={value.key!r}, map_indexes={index}) }}}}"
