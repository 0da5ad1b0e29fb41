"""What Airflow asks of a provider before anything else works."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
import yaml

from airflow_provider_docconv import __version__
from airflow_provider_docconv.get_provider_info import get_provider_info
from airflow_provider_docconv.hooks.docconv import DocConvHook

INFO = get_provider_info()
TYPES = {each["connection-type"]: each for each in INFO["connection-types"]}
AIRFLOW = Path(airflow.__file__).parent


def schema(name: str) -> dict[str, Any]:
    return json.loads((AIRFLOW / name).read_text())


def test_it_fits_airflows_own_schema() -> None:
    jsonschema.validate(json.loads(json.dumps(INFO)), schema("provider_info.schema.json"))


def test_the_forms_fit_airflows_own_schemas() -> None:
    yaml_schema = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate(yaml.safe_load(yaml.safe_dump(INFO["connection-types"])), yaml_schema)
    fields = schema("customized_form_field_behaviours.schema.json")
    for each in TYPES.values():
        behaviour = {key.replace("-", "_"): value for key, value in each["ui-field-behaviour"].items()}
        jsonschema.validate(behaviour, fields)


def test_it_carries_the_distributions_name_and_version() -> None:
    found = metadata.distribution("airflow-provider-docconv")
    assert INFO["package-name"] == found.metadata["Name"]
    assert INFO["versions"] == [__version__] == [found.version]
    [entry] = [each for each in found.entry_points if each.group == "apache_airflow_provider"]
    assert entry.load() is get_provider_info


def test_what_it_names_is_there() -> None:
    names = [each["integration-name"] for each in INFO["integrations"]]
    assert names == [each["hook-name"] for each in INFO["connection-types"]]
    for kind in ("hooks", "operators", "sensors", "triggers"):
        assert [each["integration-name"] for each in INFO[kind]] == names
        for each in INFO[kind]:
            for module in each["python-modules"]:
                importlib.import_module(module)
    for conn_type, each in TYPES.items():
        module, _, name = each["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert issubclass(hook, DocConvHook)
        assert (hook.conn_type, hook.hook_name) == (conn_type, each["hook-name"])
        assert hook.default_conn_name == f"{conn_type}_default"


@pytest.mark.parametrize("conn_type", TYPES)
def test_the_forms_fields_are_those_that_are_read(conn_type: str) -> None:
    param = pytest.importorskip("airflow.sdk.definitions.param", reason="Airflow before 3 has other forms")
    fields = TYPES[conn_type]["conn-fields"]
    assert set(fields) - {"storage_name", "auth_url"} == {
        "read_timeout",
        "connect_timeout",
        "max_concurrent_calls",
        "max_calls_per_second",
        "rate_limit_url",
        "verify",
    }
    assert ("storage_name" in fields) is (conn_type in {"aspose_slides", "groupdocs_conversion"})
    assert ("auth_url" in fields) is (conn_type != "docling_serve")
    # Airflow masks such values wherever they appear.
    assert not any("token" in name or "secret" in name for name in fields)
    for name, field in fields.items():
        # An empty field of the form is null.
        param.Param(None, **field["schema"]).resolve()
        param.Param(30 if "timeout" in name or name.startswith("max_") else "text", **field["schema"]).resolve()


def test_the_forms_of_older_airflows_say_the_same() -> None:
    for each in TYPES.values():
        module, _, name = each["hook-class-name"].rpartition(".")
        behaviour = getattr(importlib.import_module(module), name).get_ui_field_behaviour()
        assert {key.replace("_", "-"): value for key, value in behaviour.items()} == each["ui-field-behaviour"]
        assert behaviour["relabeling"].get("login", "") == ("" if "docling" in name.lower() else "Client ID")


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (("providers", "list"), {"airflow-provider-docconv"}),
        (("providers", "hooks"), {"aspose_slides", "groupdocs_conversion", "aspose_ocr", "docling_serve"}),
    ],
)
def test_airflows_commands_find_it(command: tuple[str, ...], found: set[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "airflow", *command, "--output", "plain"],
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found <= set(run.stdout.split())
    assert "Exception" not in run.stderr


#: What takes long to import, and nobody needs before a task runs.
HEAVY = {
    "requests",
    "aiohttp",
    "urllib3",
    "jinja2",
    "fsspec",
    "s3fs",
    "botocore",
    "sqlalchemy",
    "pendulum",
    "limits",
    "docconv_sandbox",
}
MODULES = ["operators.docconv", "sensors.docconv", "triggers.documents", "get_provider_info"]


def loaded(first: str, then: str) -> set[str]:
    """Return the modules that one import loads after another."""
    code = f"import {first}, sys; before = set(sys.modules); import {then}; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("module", MODULES)
def test_a_dag_file_loads_next_to_nothing(module: str) -> None:
    pytest.importorskip("airflow.sdk", reason="Airflow before 3 loads all of that itself")
    sdk = "airflow.sdk.bases.sensor, airflow_provider_docconv.compat"
    first = {"get_provider_info": "sys", "triggers.documents": f"{sdk}, airflow.triggers.base"}
    new = loaded(first.get(module, sdk), f"airflow_provider_docconv.{module}")
    assert f"airflow_provider_docconv.{module}" in new
    assert not {name.partition(".")[0] for name in new} & HEAVY


def test_a_triggers_module_loads_next_to_nothing_in_the_triggerers_loop() -> None:
    new = loaded("airflow.triggers.base, airflow_provider_docconv.compat", "airflow_provider_docconv.triggers.docconv")
    assert not {name.partition(".")[0] for name in new} & (HEAVY | {"ssl"})
