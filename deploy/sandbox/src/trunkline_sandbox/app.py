"""Builds the parts of the sandbox and joins them to one application."""

from dataclasses import dataclass

from fastapi import FastAPI

from trunkline_sandbox.admin import AdminDesk
from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.conversation import Conversation, Dialect
from trunkline_sandbox.courier import Courier
from trunkline_sandbox.fates import parse_mix
from trunkline_sandbox.faults.book import FaultBook
from trunkline_sandbox.mailbox import Mailbox
from trunkline_sandbox.settings import SandboxSettings
from trunkline_sandbox.tally import Tally
from trunkline_sandbox.vault import Vault
from trunkline_sandbox.voice.accounts import Accounts
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.callers import CallerDesk
from trunkline_sandbox.voice.errors import TwilioDialect
from trunkline_sandbox.voice.exchange import Exchange
from trunkline_sandbox.voice.herald import Herald
from trunkline_sandbox.voice.routes import VoiceDesk
from trunkline_sandbox.voice.tempo import Tempo
from trunkline_sandbox.whatsapp.errors import GraphDialect
from trunkline_sandbox.whatsapp.numbers import BusinessNumbers
from trunkline_sandbox.whatsapp.postman import Postman
from trunkline_sandbox.whatsapp.routes import MessageDesk
from trunkline_sandbox.witness import Witness


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The application, and the two loops that must run beside it."""

    app: FastAPI
    agenda: Agenda
    courier: Courier
    witness: Witness


def build_sandbox(settings: SandboxSettings) -> Sandbox:
    """Build everything, and take up where the log of an earlier process ended."""
    witness, tally = Witness(settings.log), Tally()
    agenda = Agenda()
    courier = Courier(settings.callback_hands, settings.callback_timeout)
    mailbox = Mailbox(agenda, courier, witness, settings.seed)
    accounts, numbers, archive = Accounts(), BusinessNumbers(), Archive()
    tempo = Tempo(settings.seed, settings.speed, parse_mix(settings.mix))
    herald = Herald(accounts, archive, mailbox, witness)
    exchange = Exchange(tempo, agenda, courier, accounts, archive, herald=herald, tally=tally)
    postman = Postman(tempo, agenda, mailbox, witness, tally, numbers)
    vault, book = Vault(settings.log), FaultBook(witness)
    _register(vault, accounts, numbers)
    _remember(witness, tally, exchange, postman)

    def conversation(dialect: Dialect) -> Conversation:
        return Conversation(dialect, book, witness, settings.body_timeout)

    voice = VoiceDesk(conversation(TwilioDialect()), accounts, archive, exchange, witness)
    messages = MessageDesk(conversation(GraphDialect()), numbers, postman)
    admin = AdminDesk(
        accounts=accounts,
        numbers=numbers,
        vault=vault,
        witness=witness,
        tally=tally,
        book=book,
        courier=courier,
    )
    app = FastAPI(title="Trunkline sandbox", docs_url="/sandbox/docs", redoc_url=None)
    for desk in (admin, CallerDesk(accounts, exchange), voice, messages):
        app.include_router(desk.router())
    return Sandbox(app, agenda, courier, witness)


def _register(vault: Vault, accounts: Accounts, numbers: BusinessNumbers) -> None:
    registered = vault.load()
    for account in registered.accounts:
        accounts.put(account)
    for number in registered.numbers:
        numbers.put(number)


def _remember(witness: Witness, tally: Tally, exchange: Exchange, postman: Postman) -> None:
    for entry in witness.history():
        exchange.remember(entry)
        postman.remember(entry)
        tally.observe(entry)
    witness.listen(tally.observe)
    exchange.resume()
    postman.resume()
