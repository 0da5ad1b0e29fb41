"""
The conversion services, each described once. A new one is a package of its own and an entry here.

The package of another distribution names its entry under the entry point ``docconv.services`` instead. The entry is
all that the layers above know of a service. This module imports nothing heavy, because every Airflow command loads it;
a service's package is loaded when it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

#: The entry points that name the services of other distributions.
ENTRY_POINTS = "docconv.services"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """
    The standard field of a connection that a service takes a credential from.

    :param name: what messages call it
    :param label: what the form calls it
    :param placeholder: what the form shows while it is empty
    :param required: whether a connection without it is an error
    """

    name: str
    label: str
    placeholder: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """
    How a service knows its caller.

    :param flow: the class that signs the requests, a :class:`~airflow_provider_docconv.services.http.Auth`, as
        ``module:Class``
    :param login: the connection's login; None hides it
    :param password: the connection's password; None hides it
    :param header: the header that carries the credentials
    :param token_path: where the service gives tokens, below the base URL; empty if it has none
    """

    flow: str
    login: FormField | None = None
    password: FormField | None = None
    header: str = "Authorization"
    token_path: str = ""

    @property
    def fields(self) -> dict[str, FormField]:
        """The standard fields that it takes, by their names in a connection."""
        fields = {"login": self.login, "password": self.password}
        return {name: each for name, each in fields.items() if each is not None}

    @property
    def credentials(self) -> str:
        """The fields in words: ``login (client id) and password (client secret)``."""
        words = (name if name == each.name else f"{name} ({each.name})" for name, each in self.fields.items())
        return " and ".join(words)


_FLOWS = "airflow_provider_docconv.services.http"
_FROM_DASHBOARD = "from the vendor's dashboard, under Applications"

#: Anyone may call the service.
NO_AUTHENTICATION = Authentication(flow=f"{_FLOWS}:Auth")
#: Each request carries a user name and a password (RFC 7617).
BASIC = Authentication(
    flow=f"{_FLOWS}:BasicAuth",
    login=FormField(name="user name", label="User name"),
    password=FormField(name="password", label="Password"),
)
#: Each request carries a token that a person has made at the vendor (RFC 6750).
BEARER = Authentication(flow=f"{_FLOWS}:BearerAuth", password=FormField(name="token", label="Token"))
#: Each request carries a token that the service gives for a client id and secret (RFC 6749 §4.4).
CLIENT_CREDENTIALS = Authentication(
    flow=f"{_FLOWS}:ClientCredentialsAuth",
    login=FormField(name="client id", label="Client ID", placeholder=_FROM_DASHBOARD),
    password=FormField(name="client secret", label="Client Secret", placeholder=_FROM_DASHBOARD),
    token_path="/connect/token",  # noqa: S106 - a path, not a secret
)


def api_key(header: str, *, required: bool = True) -> Authentication:
    """
    Describe a service to which each request carries a key, the connection's password, in a header.

    :param header: the header
    :param required: whether a connection without a key is an error
    """
    placeholder = "" if required else "leave empty if the service asks for none"
    key = FormField(name="API key", label="API key", placeholder=placeholder, required=required)
    return Authentication(flow=f"{_FLOWS}:ApiKeyAuth", password=key, header=header)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """
    A conversion service.

    :param name: the connection type
    :param label: the name in messages and in Airflow's UI
    :param host: the vendor's base URL; empty for a service that everyone hosts for themselves
    :param dashboard: the vendor's page about the account, empty if there is none
    :param docs_url: the vendor's documentation
    :param authentication: how it knows its caller
    :param protocol: its :class:`~airflow_provider_docconv.services.service.ConversionService`, as ``module:Class``
    :param hook_class: the name of its hook's class in :mod:`airflow_provider_docconv.hooks.docconv`
    :param has_storage: whether the service has a storage for documents
    :param host_placeholder: what the form shows for an empty base URL, if not the vendor's
    :param extra_fields: more fields of its connections, kept in their extra, as ``conn-fields`` of Airflow's
        ``provider_info.schema.json``; no secrets
    """

    name: str
    label: str
    host: str = ""
    dashboard: str = ""
    docs_url: str
    authentication: Authentication
    protocol: str
    hook_class: str
    has_storage: bool = False
    host_placeholder: str = ""
    extra_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    @property
    def scheme(self) -> str:
        """The scheme of addresses in the service's storage."""
        return self.name.replace("_", "-")


_SERVICES = "airflow_provider_docconv.services"

ASPOSE_SLIDES = ServiceInfo(
    name="aspose_slides",
    label="Aspose.Slides Cloud",
    host="https://api.aspose.cloud",
    dashboard="https://dashboard.aspose.cloud",
    docs_url="https://docs.aspose.cloud/slides/",
    authentication=CLIENT_CREDENTIALS,
    protocol=f"{_SERVICES}.slides.service:AsposeSlides",
    hook_class="AsposeSlidesHook",
    has_storage=True,
)
GROUPDOCS_CONVERSION = ServiceInfo(
    name="groupdocs_conversion",
    label="GroupDocs.Conversion Cloud",
    host="https://api.groupdocs.cloud",
    dashboard="https://dashboard.groupdocs.cloud",
    docs_url="https://docs.groupdocs.cloud/conversion/",
    authentication=CLIENT_CREDENTIALS,
    protocol=f"{_SERVICES}.groupdocs.service:GroupDocsConversion",
    hook_class="GroupDocsConversionHook",
    has_storage=True,
)
ASPOSE_OCR = ServiceInfo(
    name="aspose_ocr",
    label="Aspose.OCR Cloud",
    host="https://api.aspose.cloud",
    dashboard="https://dashboard.aspose.cloud",
    docs_url="https://docs.aspose.cloud/ocr/",
    authentication=CLIENT_CREDENTIALS,
    protocol=f"{_SERVICES}.ocr.service:AsposeOcr",
    hook_class="AsposeOcrHook",
)
DOCLING_SERVE = ServiceInfo(
    name="docling_serve",
    label="docling-serve",
    docs_url="https://github.com/docling-project/docling-serve",
    authentication=api_key("X-Api-Key", required=False),
    protocol=f"{_SERVICES}.docling.service:DoclingServe",
    hook_class="DoclingServeHook",
    host_placeholder="http://docling.example.com:5001",
)

#: Each service of this package by its connection type.
SERVICES = {info.name: info for info in (ASPOSE_SLIDES, GROUPDOCS_CONVERSION, ASPOSE_OCR, DOCLING_SERVE)}


def find_service(name: str) -> ServiceInfo | None:
    """
    Return a service by its connection type, or None if no installed distribution has it.

    :param name: the connection type
    """
    return SERVICES.get(name) or all_services().get(name)


@cache
def all_services() -> dict[str, ServiceInfo]:
    """Return each service by its connection type: those of this package, then those of other distributions."""
    from importlib.metadata import entry_points

    services = dict(SERVICES)
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: (each.name, each.value)):
        try:
            info = entry.load()
        except Exception:  # A broken package must not take the others from Airflow.
            logging.getLogger(__name__).warning("The service %s could not be loaded", entry.value, exc_info=True)
            continue
        if isinstance(info, ServiceInfo) and info.name not in services:
            services[info.name] = info
        elif info not in services.values():  # A distribution may be found twice.
            logging.getLogger(__name__).warning("%s is not a service with a connection type of its own", entry.value)
    return services
