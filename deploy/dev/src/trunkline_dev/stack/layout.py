"""Where everything of one stack is: folders, addresses, and what each process is told."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from trunkline_common.db.roles import app_role, owner_role
from trunkline_dev.servers import Servers
from trunkline_dev.servers.ports import LOOPBACK
from trunkline_dev.servers.processes import clean_environment
from trunkline_dev.stack.credentials import Credentials
from trunkline_dev.stack.options import SANDBOX, SERVICES, Options, Replica

_STEERING = tuple(f"{name.upper()}_" for name in (*SERVICES, SANDBOX))
_SERVING = ("all", "api", "serve")
_PROCESS = ("SERVICE_ROLE", "ENABLE_SCHEDULERS", "TRUNKLINE_", "PYTEST_")


@dataclass(frozen=True, slots=True)
class Layout:
    """One stack's places. `ports` are those of the parts that have an address others must know."""

    folder: Path
    options: Options
    servers: Servers
    credentials: Credentials
    ports: dict[str, int]

    @property
    def database(self) -> str:
        """The database's name: on a server given by URL, instances stay apart."""
        return "trunkline_" + self.options.instance.replace("-", "_")

    @property
    def broker_url(self) -> str:
        """The broker's virtual host of this instance."""
        parts = urlsplit(self.servers.amqp_url)
        return urlunsplit(parts._replace(path="/" + quote(self.vhost, safe="")))

    @property
    def vhost(self) -> str:
        """As the management pages list it."""
        return f"trunkline-{self.options.instance}"

    @property
    def recordings(self) -> Path:
        """Where recordings are stored."""
        return self.folder / "recordings"

    @property
    def spans(self) -> Path:
        """Where every process writes its spans."""
        return self.folder / "spans"

    @property
    def witness(self) -> Path:
        """The sandbox's log."""
        return self.folder / "sandbox" / "log.jsonl"

    def log(self, part: str) -> Path:
        """What a part's process says."""
        return self.folder / "logs" / f"{part}.log"

    def url(self, part: str) -> str:
        """Where a part answers."""
        return f"http://{LOOPBACK}:{self.ports[part]}"

    def database_url(self, role: str) -> str:
        """The database as one role sees it."""
        parts = urlsplit(self.servers.postgres_url)
        account = f"{role}:{quote(self.credentials.passwords[role], safe='')}"
        place = f"{account}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=place, path="/" + self.database))

    def command(self, replica: Replica) -> list[str]:
        """How a service's process is started."""
        return [sys.executable, "-m", f"trunkline_{replica.service}", replica.command]

    def sandbox_command(self) -> list[str]:
        """How the sandbox is started."""
        return [sys.executable, "-m", "trunkline_sandbox", "serve"]

    def sandbox_environment(self) -> dict[str, str]:
        """What the sandbox is told."""
        return {
            **clean_environment(*_STEERING, *_PROCESS),
            "SANDBOX_HOST": LOOPBACK,
            "SANDBOX_PORT": str(self.ports[SANDBOX]),
            "SANDBOX_LOG": str(self.witness),
            "SANDBOX_SPEED": str(self.options.speed),
            "SANDBOX_SEED": str(self.options.seed),
            **self.options.environment.get(SANDBOX, {}),
        }

    def environment(self, replica: Replica) -> dict[str, str]:
        """What a service's process is told: shared settings, its own, and what was asked for."""
        service = replica.service
        prefix = service.upper()
        return {
            **clean_environment(*_STEERING, *_PROCESS),
            "TRUNKLINE_SPANS_DIR": str(self.spans),
            f"{prefix}_DATABASE_URL": self.database_url(app_role(service)),
            f"{prefix}_BROKER_URL": self.broker_url,
            f"{prefix}_HTTP_HOST": LOOPBACK,
            f"{prefix}_HTTP_PORT": str(self.ports[replica.name]),
            **self._own(service),
            **self.options.environment.get(service, {}),
            **self.options.environment.get(replica.name, {}),
        }

    def migration_environment(self, service: str) -> dict[str, str]:
        """What `migrate` is told: the owner's way in and nothing else."""
        return {
            **clean_environment(*_STEERING, *_PROCESS),
            f"{service.upper()}_MIGRATION_DATABASE_URL": self.database_url(owner_role(service)),
        }

    def _own(self, service: str) -> dict[str, str]:
        secrets, api, sandbox = self.credentials, self.url("api"), self.url(SANDBOX)
        sealing = {f"{service.upper()}_SEALING_KEYS": secrets.sealing_keys}
        return (
            sealing
            | {
                "api": {
                    "API_PUBLIC_URL": api,
                    "API_CALLBACK_SECRET": secrets.callback_secret,
                    "API_OPERATOR_TOKEN": secrets.operator_token,
                    "API_INTERNAL_TOKEN": secrets.internal_token,
                    **self._outbound(),
                },
                "outbound": {
                    "OUTBOUND_CALLBACK_SECRET": secrets.callback_secret,
                    "OUTBOUND_CALLBACK_BASE_URL": api,
                    "OUTBOUND_INTERNAL_TOKEN": secrets.internal_token,
                    "OUTBOUND_TWILIO_BASE_URL": sandbox,
                },
                "messaging": {"MESSAGING_META_BASE_URL": f"{sandbox}/v23.0"},
                "recordings": {
                    "RECORDINGS_TWILIO_BASE_URL": sandbox,
                    "RECORDINGS_STORAGE_URL": self.recordings.as_uri(),
                },
            }[service]
        )

    def _outbound(self) -> dict[str, str]:
        """Where outbound answers api, if any of its processes does."""
        serving = [
            replica.name
            for replica in self.options.replicas
            if replica.service == "outbound" and replica.command in _SERVING
        ]
        return {"API_OUTBOUND_URL": self.url(serving[0])} if serving else {}
