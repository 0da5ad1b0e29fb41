"""
Do something with the results of a batch as soon as they are there.

Airflow starts this Dag when a batch with the asset `converted_documents` among its `outlets` has succeeded and has
delivered something, as `nightly_batch` does. The event names up to 100 results; the report, which it names too, has
all of them.

**What to set:** replace the `print` by what you do with a result, such as indexing or mailing it.

**What a red task means:** the report or a result could not be read. Clearing the task tries the same results again.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, ObjectStoragePath, task

CONVERTED = Asset("converted_documents")

with DAG(
    dag_id="on_results",
    description="Do something with each result of a batch",
    doc_md=__doc__,
    schedule=[CONVERTED],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["docconv"],
) as dag:

    @task
    def use_results(triggering_asset_events: dict[Asset, list[Any]]) -> int:
        """Go through the new results, and return how many there are."""
        number = 0
        for event in triggering_asset_events[CONVERTED]:
            with ObjectStoragePath(event.extra["report"]).open() as lines:
                for document in map(json.loads, lines):
                    for result in document["results"] if document["state"] == "delivered" else ():
                        print(f"{document['source']} is now {result['uri']} ({result['size']:,} bytes)")
                        number += 1
        return number

    use_results()
