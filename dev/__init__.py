"""Runs the provider in a real Airflow on this machine: the demo, the tests, the documents they convert."""
