"""``make ui``: the demo's Airflow, for looking around, until Ctrl-C."""

from __future__ import annotations

import sys
import time

from dev.airflow import Airflow
from dev.demo import PACE
from dev.environment import AIRFLOW_HOME, DAGS, INBOX, LOGS, OUTBOX, ROOT
from dev.lock import alone
from dev.processes import end_on_signals
from dev.sandbox import Sandbox


def main() -> None:
    """Run the sandbox and Airflow until somebody ends it."""
    end_on_signals()
    with alone():
        print("Starting the sandbox and Airflow …", flush=True)
        with (
            Sandbox(LOGS / "sandbox.log", "--seconds-per-page", PACE) as sandbox,
            Airflow(AIRFLOW_HOME, DAGS) as airflow,
        ):
            sandbox.wait_until_healthy()
            sandbox.connect_all(airflow)
            print(f"\n  Airflow:  {airflow.url}  (no login; everybody is an administrator)")
            print(f"  Sandbox:  {sandbox.url}  (client id and secret: sandbox)")
            if INBOX.exists():
                print(f"  For the Dag's params:  inbox {INBOX.as_uri()}  outbox {OUTBOX.as_uri()}")
            else:
                print("  There is nothing in it yet; `make demo` fills it.")
            print(f"  Logs:     {LOGS.relative_to(ROOT)}, {(AIRFLOW_HOME / 'logs').relative_to(ROOT)}")
            print("\nCtrl-C ends it.", flush=True)
            while True:
                for process in (*airflow.components.values(), sandbox.process):
                    process.check()
                time.sleep(1)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"Stopped: {error}")
