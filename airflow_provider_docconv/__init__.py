"""Convert documents in bulk through asynchronous conversion services, from Apache Airflow."""

__version__ = "0.1.0"
