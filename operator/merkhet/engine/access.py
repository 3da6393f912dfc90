"""How do we get to the API server, and stay welcome there?"""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import kopf

from merkhet.engine.clock import Clock
from merkhet.errors import MerkhetError

# The kubelet renews a projected token after 80 % of its life, which is ten minutes at least: client-go reads it
# anew each minute.
#
# Units: seconds.
TOKEN_READ_EVERY = 60.0
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_log = logging.getLogger(__name__)


class NoCredentials(MerkhetError):
    """Neither a service account's token nor a kubeconfig is to be found."""

    reason = "NoCredentials"


def login(**_: object) -> kopf.ConnectionInfo:
    """Credentials as they are now: the pod's service account, else the kubeconfig.

    Raises: NoCredentials.
    """
    settings = kopf.OperatorSettings()
    info = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if info is None:
        raise NoCredentials("no service account's token and no kubeconfig found; run in a pod or set KUBECONFIG")
    return info


class Access:
    """One session with the API server, whose token is kept fresh."""

    def __init__(self, clock: Clock, *, connections: int = 32) -> None:
        self._clock = clock
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._server = ""
        self._headers: dict[str, str] = {}
        self._read = 0.0
        self._renewing = asyncio.Lock()

    @property
    def server(self) -> str:
        """Where the API server is, without a slash at the end."""
        return self._server

    async def session(self) -> aiohttp.ClientSession:
        """The session, opened at first use."""
        if self._session is None:
            async with self._renewing:
                if self._session is None:
                    await self._open()
        assert self._session is not None
        return self._session

    def headers(self) -> dict[str, str]:
        """The headers that say who we are."""
        if self._clock.monotonic() - self._read > TOKEN_READ_EVERY:
            self._take(login())
        return self._headers

    async def renew(self) -> None:
        """We were not known: read the credentials anew."""
        _log.info("the API server did not know us; the credentials are read anew")
        async with self._renewing:
            former, self._session = self._session, None
            await self._open()
        if former is not None:
            await former.close()

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _open(self) -> None:
        info = login()
        self._take(info)
        connector = aiohttp.TCPConnector(limit=self._connections, ssl=info.as_ssl_context())
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=REQUEST_TIMEOUT, proxy=info.proxy_url, auto_decompress=True
        )

    def _take(self, info: kopf.ConnectionInfo) -> None:
        self._server = info.server.rstrip("/")
        self._headers = {"User-Agent": "merkhet-operator", "Accept": "application/json", **info.as_http_headers()}
        self._read = self._clock.monotonic()
