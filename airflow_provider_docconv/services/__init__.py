"""The vendors' protocols. They build requests and read replies, without sockets, clock, threads or Airflow."""
