"""
A whole Airflow for the demo and the tests: every component a process of its own, talked to over its REST API.

.. code-block:: python

    with Airflow(tmp_path / "airflow", dags_folder) as airflow:
        airflow.connect("aspose_slides_default", "aspose_slides", host=sandbox, **LOGIN)
        run = airflow.run("nightly_conversion", {"inbox": "file:///tmp/inbox/"})
        assert run.wait() == "success"
        run.xcom("convert.download", map_index=0)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dev.configuration import write_configuration
from dev.environment import CACHE, VENV, program_environment
from dev.processes import Process, Processes, free_ports, wait_until
from dev.rest import Rest
from dev.run import Run

# Airflow's log servers would listen on every interface; the API server reads the files itself.
COMPONENTS = {
    "api-server": [],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}


class Airflow:
    """
    An Airflow with SQLite and a LocalExecutor, on free loopback ports.

    :param home: its folder: configuration, database, logs; made when missing, taken over when not.
    :param dags_folder: the Dags it runs.
    :param environment: variables for all its components, ``AIRFLOW__…`` included.
    :param venv: the virtual environment that it is installed in.
    """

    def __init__(
        self, home: Path, dags_folder: Path, environment: Mapping[str, str] | None = None, venv: Path = VENV
    ) -> None:
        self.venv = venv
        self.home = home
        self.dags_folder = dags_folder
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.rest = Rest(self.url)
        own = {"AIRFLOW_HOME": str(home), "TMPDIR": str(home / "tmp")}
        self.environment = program_environment(**own, **(environment or {}))
        self.processes = Processes()
        self.components = {name: self._component(name) for name in COMPONENTS}

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_until_healthy()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.rest.close()
        self.processes.__exit__(*error)

    @property
    def scheduler(self) -> Process:
        """The scheduler's process; its LocalExecutor's tasks run below it."""
        return self.components["scheduler"]

    @property
    def triggerer(self) -> Process:
        """The triggerer's process."""
        return self.components["triggerer"]

    def start(self) -> None:
        """Start every component, all at once, without waiting for them."""
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        write_configuration(self.home / "airflow.cfg", self._settings())
        self._make_database()
        for component in self.components.values():
            self.processes.start(component)

    def wait_until_healthy(self, timeout: float = 180) -> None:
        """Wait until the API server answers and every component has reported to it."""
        wait_until(self._healthy, "Starting Airflow", timeout, self.processes.running)

    def connect(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        """
        Make a connection, or change it to this.

        :param conn_id: its id.
        :param conn_type: its type.
        :param fields: ``host``, ``login``, ``password``, ``port``, ``schema``, ``extra`` (a JSON string).
        """
        connection = {"connection_id": conn_id, "conn_type": conn_type, **fields}
        action = {"action": "create", "entities": [connection], "action_on_existence": "overwrite"}
        answer = self.rest.patch("connections", {"actions": [action]})
        if errors := answer["create"]["errors"]:
            raise ValueError(f"Airflow refused the connection {conn_id}: {errors}")

    def run(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout: float = 60, logical_date: str | None = None
    ) -> Run:
        """
        Start a run of a Dag.

        :param dag_id: the Dag; it is unpaused.
        :param conf: values for the Dag's params.
        :param timeout: seconds to wait for the Dag processor to find the Dag.
        :param logical_date: the run's logical date in ISO 8601, which templates such as ``{{ ds }}`` need.
        """
        self.wait_for_dag(dag_id, timeout)
        self.rest.patch(f"dags/{dag_id}", {"is_paused": False})
        started = self.rest.post(f"dags/{dag_id}/dagRuns", {"logical_date": logical_date, "conf": dict(conf or {})})
        return Run(self.rest, dag_id, started["dag_run_id"], self.processes.running)

    def wait_for_dag(self, dag_id: str, timeout: float = 60) -> None:
        """Wait until the Dag processor has found a Dag; raise what Python said if one of the files is broken."""

        def found() -> bool:
            for error in self.rest.get("importErrors")["import_errors"]:
                raise ImportError(f"{error['filename']}: {error['stack_trace']}")
            return self.rest.exists(f"dags/{dag_id}")

        wait_until(found, f"Finding the Dag {dag_id}", timeout, self.processes.running)

    def _make_database(self) -> None:
        if not (self.home / "airflow.db").exists():
            shutil.copyfile(empty_database(self.venv), self.home / "airflow.db")

    def _healthy(self) -> bool:
        # The first call builds the API that tasks talk to, which takes seconds: better now than in the first task.
        if not self.rest.try_get("/execution/health"):
            return False
        health = self.rest.try_get("/api/v2/monitor/health") or {}
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def _component(self, name: str) -> Process:
        log = self.home / "logs" / f"{name}.log"
        command = [str(self.venv / "bin" / "airflow"), name, *COMPONENTS[name]]
        return Process(f"Airflow's {name}", command, log, self.environment)

    def _settings(self) -> dict[str, dict[str, Any]]:
        # Below the defaults wherever Airflow would wait for half a minute before it looks again.
        return {
            "core": {
                "dags_folder": self.dags_folder,
                "plugins_folder": self.home / "plugins",
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": 4,  # SQLite locks up with many more
                "execution_api_server_url": f"{self.url}/execution/",
                "simple_auth_manager_all_admins": True,
                "test_connection": "Enabled",
            },
            "api": {"host": "127.0.0.1", "port": self.port, "base_url": self.url},
            "database": {"sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}?timeout=30"},
            "logging": {"base_log_folder": self.home / "logs", "colored_console_log": False},
            "dag_processor": {
                "refresh_interval": 5,
                "bundle_refresh_check_interval": 1,
                "min_file_process_interval": 5,
                "parsing_processes": 1,
            },
            # A task's process often ends just after its supervisor has looked, which then looks again only after this.
            "workers": {"min_heartbeat_interval": 1},
            "scheduler": {
                "use_job_schedule": False,  # nothing starts by itself at two in the morning
                "scheduler_idle_sleep_time": 0.5,
                "trigger_timeout_check_interval": 5,
            },
        }


def empty_database(venv: Path = VENV) -> Path:
    """
    Return a migrated database to copy; making one takes as long as starting Airflow.

    :param venv: the virtual environment that Airflow is installed in.
    """
    (installed,) = venv.glob("lib/python*/site-packages/apache_airflow_core-*.dist-info")
    database = CACHE / f"{installed.stem}.db"
    if not database.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as home:
            migrate(home, venv)
            (Path(home) / "airflow.db").replace(database)
    return database


def migrate(home: str, venv: Path = VENV, **environment: str) -> None:
    """
    Let Airflow make its tables.

    :param home: its folder.
    :param venv: the virtual environment that it is installed in.
    :param environment: variables for it, ``AIRFLOW__…`` included.
    """
    command = [str(venv / "bin" / "airflow"), "db", "migrate"]
    environment = program_environment(AIRFLOW_HOME=home, **environment)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"'airflow db migrate' failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
