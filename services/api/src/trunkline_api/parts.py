"""What a request needs besides itself: built once by `app.py`, handed to every route."""

from __future__ import annotations

from dataclasses import dataclass, field

from trunkline_api.accounts import Accounts
from trunkline_api.callbacks import Ear
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.scripts import Scripts
from trunkline_api.siblings import Siblings
from trunkline_api.streams import Streams
from trunkline_common.db import Database
from trunkline_common.loops import Stop
from trunkline_common.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Parts:
    """Values and connections; no route reads settings."""

    database: Database
    sealer: Sealer = field(repr=False)
    accounts: Accounts = field(repr=False)
    scripts: Scripts = field(repr=False)
    siblings: Siblings = field(repr=False)
    ear: Ear = field(repr=False)
    public_url: str
    callback_secret: str = field(repr=False)
    operator_token: str = field(repr=False)
    upload_max_bytes: int
    upload_max_rows: int
    business_concurrent: int | None = None
    outbound: OutboundLog = field(default_factory=OutboundLog)
    streams: Streams = field(default_factory=Streams)
    stop: Stop = field(default_factory=Stop)
