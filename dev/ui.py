"""``make ui``: the demo's Airflow, with a night that has failures, for looking around, until Ctrl-C."""

from __future__ import annotations

import sys
import time

from airflow_provider_docconv.links.docconv import report_url
from dev.airflow import Airflow
from dev.demo import PACE, prepare
from dev.environment import AIRFLOW_HOME, DAGS, INBOX, LOGS, OUTBOX, ROOT
from dev.lock import alone
from dev.processes import end_on_signals
from dev.sandbox import Sandbox

#: Its task fails, because two documents of the demo can't be converted by anybody.
DAG = "nightly_batch"


def main() -> None:
    """Run the sandbox and Airflow until somebody ends it."""
    end_on_signals()
    with alone():
        if not INBOX.exists():
            print("Preparing the documents and an empty Airflow database …", flush=True)
            prepare()
        print("Starting the sandbox and Airflow …", flush=True)
        # The results lie on this machine, where the API server is, too.
        environment = {"AIRFLOW__DOCCONV__SHARED_FOLDERS": str(OUTBOX)}
        with (
            Sandbox(LOGS / "sandbox.log", "--seconds-per-page", PACE) as sandbox,
            Airflow(AIRFLOW_HOME, DAGS, environment) as airflow,
        ):
            sandbox.wait_until_healthy()
            sandbox.connect_all(airflow)
            print(f"\n  Airflow:  {airflow.url}  (no login; everybody is an administrator)")
            print(f"  Sandbox:  {sandbox.url}  (client id: sandbox, client secret: sandbox-secret)")
            print(f"  For the Dags' params:  inbox {INBOX.as_uri()}  outbox {OUTBOX.as_uri()}")
            print(f"  Logs:     {LOGS.relative_to(ROOT)}, {(AIRFLOW_HOME / 'logs').relative_to(ROOT)}")
            run_id = night(airflow)
            print(f"\nThe night: {airflow.url}/plugin/conversions  (Browse > Conversions)")
            print("Two of its documents fail, one damaged and one protected; the page says why, and what to do.")
            print(f"Its report: {airflow.url}/{report_url(DAG, run_id, 'convert', -1)}")
            print("\nCtrl-C ends it.", flush=True)
            while True:
                for process in (*airflow.components.values(), sandbox.process):
                    process.check()
                time.sleep(1)


def night(airflow: Airflow) -> str:
    """Return the id of the newest run of the batch; start one if there is none."""
    airflow.wait_for_dag(DAG)
    runs = airflow.rest.get(f"dags/{DAG}/dagRuns", order_by="-run_after", limit=1)["dag_runs"]
    if runs:
        return str(runs[0]["dag_run_id"])
    return airflow.run(DAG, {"inbox": INBOX.as_uri(), "outbox": f"{OUTBOX.as_uri()}/{DAG}"}).run_id


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"Stopped: {error}")
