"""Two decks, merged and delivered as a PDF."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_docconv.operators.merge import merge_presentations

PARAMS = {name: Param("", type="string") for name in ("first", "second", "destination")}

with DAG("merge_to_pdf", schedule=None, params=PARAMS):
    merge_presentations(
        sources=["{{ params.first }}", {"source": "{{ params.second }}", "slides": [1]}],
        target_format="pdf",
        conn_id="aspose_slides_default",
        destination="{{ params.destination }}",
    )
