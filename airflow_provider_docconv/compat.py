"""
What Airflow has moved between its releases, from where the installed one has it.

``apache-airflow-providers-common-compat`` knows most of these names. The releases of it that belong to Airflow 2.11.0
and 3.0 know none of them, and those before 1.22 not all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import get_base_airflow_version_tuple

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        DAG as DAG,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowException as AirflowException,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowFailException as AirflowFailException,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowNotFoundException as AirflowNotFoundException,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowPlugin as AirflowPlugin,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowSensorTimeout as AirflowSensorTimeout,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowSkipException as AirflowSkipException,
    )
    from airflow.providers.common.compat.sdk import (
        AirflowTaskTimeout as AirflowTaskTimeout,
    )
    from airflow.providers.common.compat.sdk import (
        Asset as Asset,
    )
    from airflow.providers.common.compat.sdk import (
        AssetAlias as AssetAlias,
    )
    from airflow.providers.common.compat.sdk import (
        BaseHook as BaseHook,
    )
    from airflow.providers.common.compat.sdk import (
        BaseOperator as BaseOperator,
    )
    from airflow.providers.common.compat.sdk import (
        BaseOperatorLink as BaseOperatorLink,
    )
    from airflow.providers.common.compat.sdk import (
        BaseSensorOperator as BaseSensorOperator,
    )
    from airflow.providers.common.compat.sdk import (
        Connection as Connection,
    )
    from airflow.providers.common.compat.sdk import (
        Context as Context,
    )
    from airflow.providers.common.compat.sdk import (
        ObjectStoragePath as ObjectStoragePath,
    )
    from airflow.providers.common.compat.sdk import (
        Param as Param,
    )
    from airflow.providers.common.compat.sdk import (
        PokeReturnValue as PokeReturnValue,
    )
    from airflow.providers.common.compat.sdk import (
        Stats as Stats,
    )
    from airflow.providers.common.compat.sdk import (
        TaskDeferred as TaskDeferred,
    )
    from airflow.providers.common.compat.sdk import (
        TaskGroup as TaskGroup,
    )
    from airflow.providers.common.compat.sdk import (
        XCom as XCom,
    )
    from airflow.providers.common.compat.sdk import (
        conf as conf,
    )
    from airflow.providers.common.compat.sdk import (
        mask_secret as mask_secret,
    )
    from airflow.providers.common.compat.triggers import BaseEventTrigger as BaseEventTrigger

AIRFLOW_VERSION: tuple[int, int, int] = get_base_airflow_version_tuple()

# Newest first. A name that was another is given with it.
_PLACES: dict[str, tuple[str, ...]] = {
    "AirflowException": ("airflow.exceptions",),
    "AirflowFailException": ("airflow.exceptions",),
    "AirflowNotFoundException": ("airflow.exceptions",),
    "AirflowPlugin": ("airflow.plugins_manager",),
    "AirflowSensorTimeout": ("airflow.exceptions",),
    "AirflowSkipException": ("airflow.exceptions",),
    "AirflowTaskTimeout": ("airflow.exceptions",),
    "Asset": ("airflow.sdk", "airflow.datasets:Dataset"),
    "AssetAlias": ("airflow.sdk", "airflow.datasets:DatasetAlias"),
    "BaseEventTrigger": ("airflow.triggers.base", "airflow.triggers.base:BaseTrigger"),
    "BaseHook": ("airflow.hooks.base",),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "ObjectStoragePath": ("airflow.sdk", "airflow.io.path"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "Stats": ("airflow.stats",),
    "TaskDeferred": ("airflow.exceptions",),
    "TaskGroup": ("airflow.sdk", "airflow.utils.task_group"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "conf": ("airflow.configuration",),
    "mask_secret": ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker"),
}


def __getattr__(name: str) -> Any:
    """Return a name from the first place that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for place in ("airflow.providers.common.compat.sdk", *_PLACES[name]):
        module, _, former = place.partition(":")
        try:
            found = getattr(import_module(module), former or name)
        except (ImportError, AttributeError):
            continue
        globals()[name] = found
        return found
    raise ImportError(f"Airflow {'.'.join(map(str, AIRFLOW_VERSION))} has no {name}, which {__package__} needs")
