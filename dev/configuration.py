"""Airflow's configuration file."""

from __future__ import annotations

import base64
import configparser
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_configuration(file: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """
    Write ``airflow.cfg``, for our processes and for a person with a shell.

    :param file: the file; the keys it holds already are kept, for they open what the database has encrypted.
    :param settings: sections of options.
    """
    configuration = configparser.RawConfigParser()
    configuration.read(file)
    keys = {("core", "fernet_key"): 32, ("api", "secret_key"): 32, ("api_auth", "jwt_secret"): 64}
    kept = {place: configuration.get(*place, fallback=new_key(size)) for place, size in keys.items()}
    configuration = configparser.RawConfigParser()
    for section, options in settings.items():
        configuration[section] = {name: str(value) for name, value in options.items()}
    for (section, key), value in kept.items():
        if not configuration.has_section(section):
            configuration.add_section(section)
        configuration.set(section, key, value)
    file.touch(mode=0o600)
    with file.open("w") as output:
        configuration.write(output)


def new_key(size: int) -> str:
    """Return a random key in the form that Fernet wants."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()
