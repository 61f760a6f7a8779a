"""A service as an operating-system process."""

from trunkline_common.processes.command import run_service
from trunkline_common.processes.parts import consume, prune, relay, serve
from trunkline_common.processes.runtime import Command, Process, Runtime, Service

__all__ = [
    "Command",
    "Process",
    "Runtime",
    "Service",
    "consume",
    "prune",
    "relay",
    "run_service",
    "serve",
]
