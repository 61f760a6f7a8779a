"""What tests stand on: real PostgreSQL, real RabbitMQ, and waiting for facts."""

from trunkline_common.testing.brokers import Broker
from trunkline_common.testing.facts import eventually, within

__all__ = ["Broker", "eventually", "within"]
