"""Private PostgreSQL and RabbitMQ: found or fetched, started and stopped under the checkout."""

from trunkline_dev.servers.given import NOTHING, Given
from trunkline_dev.servers.instance import start_servers, stop_servers
from trunkline_dev.servers.state import Servers

__all__ = ["NOTHING", "Given", "Servers", "start_servers", "stop_servers"]
