"""How messages move: the only part of Trunkline that speaks AMQP."""

from trunkline_common.broker.batches import Bulk, Handlers
from trunkline_common.broker.connect import BrokerLost, probe
from trunkline_common.broker.consumer import consume_queues
from trunkline_common.broker.declaring import Drift, declare, verify
from trunkline_common.broker.hints import Hints
from trunkline_common.broker.relay import relay_outbox

__all__ = [
    "BrokerLost",
    "Bulk",
    "Drift",
    "Handlers",
    "Hints",
    "consume_queues",
    "declare",
    "probe",
    "relay_outbox",
    "verify",
]
