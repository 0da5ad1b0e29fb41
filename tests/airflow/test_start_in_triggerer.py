"""Waits that no worker begins or ends: what a Dag may ask for, and what is refused when it is parsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_docconv.compat import AIRFLOW_VERSION
from airflow_provider_docconv.operators.docconv import StartConversionOperator
from airflow_provider_docconv.sensors.docconv import ConversionSensor

sdk = pytest.importorskip("airflow.sdk", reason="Airflow before 3 has another way to write Dags")

START = {"start_from_trigger": True}
END = {"end_from_trigger": True, "deferrable": True}
VALUES: dict[str, Any] = {"task_id": "wait", "conn_id": "docs", "operation_id": "op-1"}


def starting(**values: Any) -> StartConversionOperator:
    return StartConversionOperator(
        **{"task_id": "start", "source": "file:///a.pptx", "target_format": "pdf", "conn_id": "docs", **values}
    )


def trigger_kwargs(sensor: ConversionSensor) -> dict[str, Any]:
    return dict(sensor.start_trigger_args.trigger_kwargs)


def test_an_older_airflow_defers_from_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_docconv.sensors.docconv.AIRFLOW_VERSION", (3, 2, 2))
    sensor = ConversionSensor(**VALUES, **START, end_from_trigger=True)
    assert (sensor.deferrable, sensor.end_from_trigger, sensor.start_from_trigger) == (True, False, False)


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="this Airflow can't")
class TestWhatAirflowCan:
    def test_the_trigger_gets_what_a_worker_would_give_it(self) -> None:
        sensor = ConversionSensor(
            **VALUES, **START, poke_interval=timedelta(seconds=4), timeout=60, max_poke_interval=30
        )
        assert sensor.start_from_trigger
        assert sensor.start_trigger_args.timeout == timedelta(seconds=60)
        assert trigger_kwargs(sensor) == {
            "operation_id": "op-1",
            "conn_id": "docs",
            "poke_interval": 4,
            "max_poke_interval": 30,
            "fault_tolerance": 900,
            "cancel_on_kill": True,
            "end_from_trigger": False,
        }

    def test_the_output_of_a_task_becomes_a_template(self) -> None:
        with sdk.DAG("d"):
            start = starting()
            sensor = ConversionSensor(**VALUES | {"operation_id": start.output}, **START)
        template = "{{ ti.xcom_pull(task_ids='start', key='return_value', map_indexes=-1) }}"
        assert trigger_kwargs(sensor)["operation_id"] == template
        assert sensor.upstream_task_ids == {"start"}

    def test_in_a_mapped_group_it_is_that_of_the_same_index(self) -> None:
        with sdk.DAG("d"):
            before = starting(task_id="before")

            @sdk.task_group
            def convert(source: str) -> None:
                start = starting(source=source)
                ConversionSensor(**VALUES | {"operation_id": start.output}, **START)
                ConversionSensor(**VALUES | {"operation_id": before.output, "task_id": "other"}, **START)

            group = convert.expand(source=["file:///a.pptx", "file:///b.pptx"])
        same, other = (trigger_kwargs(group.children[f"convert.{name}"])["operation_id"] for name in ("wait", "other"))
        assert same == "{{ ti.xcom_pull(task_ids='convert.start', key='return_value', map_indexes=ti.map_index) }}"
        assert other == "{{ ti.xcom_pull(task_ids='before', key='return_value', map_indexes=-1) }}"

    @pytest.mark.parametrize(
        "given",
        ["{{ ti.xcom_pull(task_ids='start', map_indexes=-1) }}", "{{ params.operation }}", "{{ var.value.operation }}"],
    )
    def test_templates_stay(self, given: str) -> None:
        assert trigger_kwargs(ConversionSensor(**VALUES | {"operation_id": given}, **START))["operation_id"] == given


def nothing(*_: Any, **__: Any) -> None:
    return None


REFUSED: list[tuple[dict[str, Any], str]] = [
    (START | {"operation_id": "{{ ti.xcom_pull('start') }}"}, "without map_indexes"),
    (START | {"operation_id": "{{ ti.xcom_pull ('start', map_indexes=None) }}"}, "without map_indexes"),
    (START | {"operation_id": "{{ ti.xcom_pull('a') }}{{ ti.xcom_pull('b', map_indexes=-1) }}"}, "without map_indexes"),
    (START | {"conn_id": "{{ ti.xcom_pull('connections') }}"}, "without map_indexes"),
    (START | {"operation_id": ["op-1"]}, "operation_id must be a string"),
    (START | {"operation_id": None}, "operation_id must be a string"),
    (START | {"pre_execute": nothing}, "pre_execute needs a worker"),
    (START | {"on_execute_callback": nothing}, "on_execute_callback needs a worker"),
    (END | {"post_execute": nothing}, "post_execute needs a worker"),
    (END | {"on_success_callback": nothing}, "on_success_callback needs a worker"),
    (END | {"do_xcom_push": False}, "do_xcom_push=False needs"),
    (END | {"outlets": ["an asset"]}, "outlets needs a worker"),
]


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="this Airflow can't")
@pytest.mark.parametrize(("values", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_only_a_worker_can_do_is_refused(values: dict[str, Any], words: str) -> None:
    if "outlets" in values:
        values = values | {"outlets": [sdk.Asset("s3://bucket/pdf")]}
    with pytest.raises(ValueError, match=rf"^wait: .*{words}"):
        ConversionSensor(**VALUES | values)


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="this Airflow can't")
def test_the_output_of_a_mapped_task_is_refused() -> None:
    with sdk.DAG("d"):
        start = StartConversionOperator.partial(task_id="start", target_format="pdf", conn_id="docs").expand(
            source=["file:///a.pptx", "file:///b.pptx"]
        )
        with pytest.raises(ValueError, match="the output of one task"):
            ConversionSensor(**VALUES | {"operation_id": start.output}, **START)


def test_a_mapped_sensor_is_refused_when_the_dag_is_parsed() -> None:
    with sdk.DAG("d"):
        with pytest.raises(ValueError, match=r"^wait: Airflow can't start a mapped task in the triggerer"):
            ConversionSensor.partial(task_id="wait", conn_id="docs", **START)
        ConversionSensor.partial(task_id="wait", conn_id="docs", **END).expand(operation_id=["op-1", "op-2"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"on_success_callback": nothing}, "on_success_callback needs a worker"),
        ({"do_xcom_push": False}, "do_xcom_push=False needs"),
    ],
)
@pytest.mark.parametrize("default_args", [True, False])
@pytest.mark.filterwarnings("ignore:Task 'wait' was never mapped")
def test_so_is_a_mapped_one_that_can_not_end_there(values: dict[str, Any], words: str, default_args: bool) -> None:
    with (
        sdk.DAG("d", default_args=values if default_args else {}),
        pytest.raises(ValueError, match=rf"^wait: .*{words}"),
    ):
        ConversionSensor.partial(task_id="wait", conn_id="docs", **END, **({} if default_args else values))


@pytest.mark.parametrize("values", [START, {"end_from_trigger": True}, {"deferrable": True}])
def test_the_triggerer_is_for_what_is_deferred(values: dict[str, Any]) -> None:
    assert ConversionSensor(**VALUES | values).deferrable


def test_all_times_are_numbers_or_timedeltas() -> None:
    times = ("poke_interval", "max_poke_interval", "timeout", "fault_tolerance", "grace")
    sensor = ConversionSensor(**VALUES, **dict.fromkeys(times, timedelta(minutes=1)), end_from_trigger=True)
    assert (sensor.fault_tolerance, sensor.grace, sensor.max_poke_interval) == (60.0, 60.0, 60.0)
