"""The vendors' protocols, pure: they build requests and read replies, without sockets, clock or Airflow."""
