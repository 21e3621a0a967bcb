"""Connections to HTTP servers: through the proxies and with the certificates that the environment names."""

from __future__ import annotations

import http.client
import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from roboreel.errors import UsageError

_TIMEOUT_S = 30.0
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
"""Variables that name a file or folder of certificates, the first one that is set counts."""


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """An open connection."""

    http: http.client.HTTPConnection
    absolute: bool
    """True where requests name the whole URL, because a proxy gets them."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of each of its requests: the login of a proxy."""
    used: bool = False


def open_connection(parts: SplitResult) -> OpenConnection:
    """A connection to the host of a URL; it is opened by its first request.

    `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` count, as do the system's settings.

    Raises:
        UsageError: the proxy is of a kind other than `http://`, or there are no certificates at the path that
            the environment names.
    """
    proxy = _proxy_of(parts)
    at = proxy or parts
    if parts.scheme == "https":
        context = _tls(_certificates())
        secure = http.client.HTTPSConnection(
            at.hostname or "", at.port, timeout=_TIMEOUT_S, context=context
        )
        if proxy:
            secure.set_tunnel(parts.hostname or "", parts.port, headers=_proxy_login(proxy))
        return OpenConnection(secure, absolute=False)
    plain = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_TIMEOUT_S)
    login = _proxy_login(proxy) if proxy else {}
    return OpenConnection(plain, absolute=proxy is not None, headers=login)


def _proxy_of(parts: SplitResult) -> SplitResult | None:
    if proxy_bypass(parts.hostname or ""):
        return None
    known = getproxies()
    url = known.get(parts.scheme) or known.get("all")
    if not url:
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http":
        raise UsageError(
            f"the proxy for {parts.hostname} is of kind '{proxy.scheme}://', which streaming can't use: set"
            f" {parts.scheme.upper()}_PROXY to a proxy of kind 'http://', or download the dataset first"
        )
    return proxy


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _certificates() -> str | None:
    """The file or folder of certificates that the environment names, else those of `certifi`."""
    for name in _CERTIFICATES:
        chosen = os.environ.get(name)
        if chosen:
            if not os.path.exists(chosen):
                raise UsageError(
                    f"{name} is '{chosen}', but there is nothing at this path: expected a file or folder of"
                    " certificates"
                )
            return chosen
    found = find_spec("certifi")
    if found is not None and found.origin:
        bundle = os.path.join(os.path.dirname(found.origin), "cacert.pem")
        return bundle if os.path.exists(bundle) else None
    return None


@lru_cache(maxsize=4)
def _tls(certificates: str | None) -> ssl.SSLContext:
    """A context that trusts some certificates; None for the system's."""
    if certificates is not None and os.path.isdir(certificates):
        return ssl.create_default_context(capath=certificates)
    return ssl.create_default_context(cafile=certificates)
