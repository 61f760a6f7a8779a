"""A RabbitMQ node of our own: which programs to use, its settings, and a broker on loopback."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.given import management_overview
from trunkline_dev.servers.ports import LOOPBACK, free_ports
from trunkline_dev.servers.processes import clean_environment, launch, stop, wait_until
from trunkline_dev.servers.rabbit_fetch import DEFAULT_SERIES, fetch_broker
from trunkline_dev.servers.state import Ledger, password_in

OLDEST = (3, 10)
_PACKAGED = Path("/usr/lib/rabbitmq/lib")
_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
_TRIES = 3
_USER = "trunkline"


@dataclass(frozen=True, slots=True)
class RabbitPrograms:
    """A folder with RabbitMQ's sbin and plugins, and where its Erlang is if it brings one."""

    home: Path
    version: str
    source: str
    erlang: Path | None = None

    @property
    def series(self) -> str:
        """Major and minor: nodes of two series never share a data folder."""
        return series_of(self.version)


def series_of(version: str) -> str:
    """`4.0` of `4.0.5`."""
    return ".".join(version.split(".")[:2])


def find_rabbit(
    cache: Path, series: str | None = None, *, path: str | None = None, packaged: Path = _PACKAGED
) -> RabbitPrograms:
    """An installed RabbitMQ that is new enough (and of the series asked for), else our own copy."""
    on_path = shutil.which("rabbitmq-server", path=path)
    # The package's program on PATH is a wrapper that changes the user; the folder has the real one.
    homes = sorted(packaged.glob("rabbitmq_server-*"), reverse=True)
    homes += [Path(on_path).resolve().parent.parent] if on_path else []
    for home in homes:
        version = version_in(home)
        if version is None or tuple(map(int, version.split(".")[:2])) < OLDEST:
            continue
        if series is None or series_of(version) == series:
            return RabbitPrograms(home, version, "installed on this machine")
    root = fetch_broker(cache, series or DEFAULT_SERIES)
    for home in sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")):
        version = version_in(home)
        if version is not None:
            return RabbitPrograms(home, version, "our own copy", root / "usr/lib/erlang")
    raise CannotGoOn(f"{root}: no RabbitMQ in it; remove it and try again")


def version_in(home: Path) -> str | None:
    """The version by the name of the broker's own plugin; None if this is not a RabbitMQ."""
    for plugin in sorted((home / "plugins").glob("rabbit-*")):
        found = re.fullmatch(r"rabbit-(\d+\.\d+\.\d+\S*?)(?:\.ez)?", plugin.name)
        if found and (home / "sbin" / "rabbitmq-server").exists():
            return found.group(1)
    return None


@dataclass(frozen=True, slots=True)
class Node:
    """One broker node: its folder, its ports, its user's password."""

    name: str
    home: Path
    password: str
    amqp: int
    management: int
    prometheus: int
    distribution: int
    epmd: int

    @property
    def amqp_url(self) -> str:
        """Where applications connect."""
        return f"amqp://{_USER}:{self.password}@{LOOPBACK}:{self.amqp}/"

    @property
    def management_url(self) -> str:
        """Where the management API and its pages are."""
        return f"http://{LOOPBACK}:{self.management}"

    def settings(self) -> str:
        """The node's rabbitmq.conf."""
        # Absolute limits: by default a small machine's memory or disk alarm blocks publishers.
        return f"""\
listeners.tcp.1 = {LOOPBACK}:{self.amqp}
management.tcp.ip = {LOOPBACK}
management.tcp.port = {self.management}
prometheus.tcp.ip = {LOOPBACK}
prometheus.tcp.port = {self.prometheus}
default_user = {_USER}
default_pass = {self.password}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 67108864
collect_statistics_interval = 1000
log.console = false
"""

    def environment(self, programs: RabbitPrograms) -> dict[str, str]:
        """What keeps this node apart from every other on the machine."""
        home = str(self.home)
        environment = {
            **clean_environment("RABBITMQ_", "ERL_", "ERLANG_", "NOTIFY_SOCKET"),
            # The start script then becomes the node, instead of staying above it as a second
            # process that stops it with a slow command of its own.
            "RUNNING_UNDER_SYSTEMD": "true",
            "HOME": home,  # the Erlang cookie lies there
            "RABBITMQ_HOME": str(programs.home),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/advanced.config",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/generated",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "ERL_EPMD_PORT": str(self.epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
        }
        if programs.erlang is not None:
            environment["PATH"] = f"{programs.erlang}/bin:{environment.get('PATH', os.defpath)}"
        return environment


def start_rabbit(
    programs: RabbitPrograms, folder: Path, instance: str, ledger: Ledger
) -> tuple[str, str]:
    """Start a node on this folder; its AMQP and management URLs."""
    home = folder / f"rabbitmq-{programs.series}"
    for part in ("data", "log", "generated"):
        (home / part).mkdir(parents=True, exist_ok=True)
    password = password_in(home / "password")
    (home / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
    for _ in range(_TRIES):
        node = Node(f"trunkline-{instance}@localhost", home, password, *free_ports(5))
        if _serve(node, programs, ledger):
            return node.amqp_url, node.management_url
    raise CannotGoOn(f"RabbitMQ did not start: {reason_in(home / 'output')}")


def _serve(node: Node, programs: RabbitPrograms, ledger: Ledger) -> bool:
    configuration = node.home / "rabbitmq.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(node.settings())
    environment = node.environment(programs)
    log = node.home / "output"
    # Ours and not the one Erlang would start: that one is a daemon that outlives the node.
    epmd = ledger.launched(
        launch(
            "epmd",
            [_epmd(programs), "-port", str(node.epmd), "-address", LOOPBACK],
            folder=node.home,
            log=log,
            environment=environment,
        )
    )
    server = ledger.launched(
        launch(
            "rabbitmq",
            [str(programs.home / "sbin" / "rabbitmq-server")],
            folder=node.home,
            log=log,
            environment=environment,
        )
    )
    wait_until(lambda: _is_ready(node) or not server.is_running(), within=_START_SECONDS)
    if server.is_running() and _is_ready(node):
        return True
    stop(server, within=_STOP_SECONDS)
    stop(epmd, within=_STOP_SECONDS)
    return False


def _epmd(programs: RabbitPrograms) -> str:
    if programs.erlang is not None:
        return str(programs.erlang / "bin" / "epmd")
    found = shutil.which("epmd")
    beside_erl = shutil.which("erl")
    if found is None and beside_erl is not None:
        found = str(Path(beside_erl).resolve().parent / "epmd")
    if found is None:
        raise CannotGoOn("no epmd on PATH beside the installed RabbitMQ: put Erlang on PATH")
    return found


def _is_ready(node: Node) -> bool:
    try:
        management_overview(node.amqp_url, node.management_url)
    except (OSError, ValueError):
        return False
    return True


def reason_in(output: Path) -> str:
    """Why a node says it did not start: its error, else what it said last; and where to read."""
    lines = output.read_text(errors="replace").splitlines() if output.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.lower().startswith("error")]
    return f"{(errors or said or ['it said nothing'])[-1][:300]} (see {output})"
