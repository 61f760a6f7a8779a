"""The whole of Trunkline on one machine: servers, sandbox and services as processes."""

from trunkline_dev.stack.options import Options, Replica
from trunkline_dev.stack.running import Stack, StackFailed

__all__ = ["Options", "Replica", "Stack", "StackFailed"]
