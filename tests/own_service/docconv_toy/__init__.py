"""A conversion service for ``airflow-provider-docconv``. Every Airflow command loads this: it imports nothing else."""

from airflow_provider_docconv.services.catalog import ServiceInfo, api_key

TOY = ServiceInfo(
    name="toy",
    label="Toy",
    host="https://toy.example.com",
    dashboard="https://toy.example.com/account",
    docs_url="https://toy.example.com/docs",
    authentication=api_key("X-Toy-Key"),
    protocol="docconv_toy.service:Toy",
    hook_class="ToyHook",
    extra_fields={
        "team": {
            "label": "Team",
            "description": "The team that the account belongs to.",
            "schema": {"type": ["string", "null"]},
        }
    },
)
