"""Creating a business: the tenant, its first key, and the fact that it exists."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline_api import keys
from trunkline_api.domain.scopes import ALL_SCOPES
from trunkline_api.store import businesses as store
from trunkline_api.store.businesses import NewKey
from trunkline_common.contracts.api import BusinessCreated, BusinessSettingsChanged
from trunkline_common.contracts.limits import ContactBudget
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.ids import BUSINESS, new_id


@dataclass(frozen=True, slots=True)
class Created:
    """A new business and its first key, whole: the only time that its secret is seen."""

    business: store.Business
    key: store.Key
    secret: str


async def create(
    database: Database,
    *,
    name: str,
    country: str,
    zone: str,
    concurrent: int | None,
    correlation_id: str,
) -> Created:
    """Create a tenant with a key that may do everything in it."""
    async with transaction(database) as session:
        business = await store.add(
            session,
            new_id(BUSINESS),
            name=name,
            country=country,
            zone=zone,
            concurrent=concurrent,
        )
        key, secret = await keys.add(session, business.id, NewKey("first key", ALL_SCOPES))
        event = BusinessCreated(
            business_id=business.id,
            display_name=name,
            country=country,
            time_zone=zone,
            concurrent=concurrent,
        )
        await outbox.add(session, Fact(event, business.id, correlation_id))
    return Created(business, key, secret)


async def change(
    database: Database, business_id: str, settings: store.Settings, *, correlation_id: str
) -> store.Business | None:
    """Change a business's settings, and say the whole of them."""
    async with transaction(database) as session:
        business = await store.change(session, business_id, settings)
        if business is not None:
            await outbox.add(session, _changed(business, correlation_id))
    return business


async def grant(
    database: Database, business_id: str, allowance: store.Allowance, *, correlation_id: str
) -> store.Business | None:
    """Change what the operator grants a business, and say the whole of its settings."""
    async with transaction(database) as session:
        business = await store.grant(session, business_id, allowance)
        if business is not None:
            await outbox.add(session, _changed(business, correlation_id))
    return business


def _changed(business: store.Business, correlation_id: str) -> Fact:
    budget = business.contact_budget
    event = BusinessSettingsChanged(
        business_id=business.id,
        version=business.version,
        display_name=business.name,
        country=business.country,
        time_zone=business.time_zone,
        holidays=tuple(business.holidays),
        contact_budget=None if budget is None else ContactBudget.model_validate(budget),
        weight=business.weight,
        concurrent=business.concurrent,
    )
    return Fact(event, business.id, correlation_id)


async def get(database: Database, business_id: str) -> store.Business | None:
    """The tenant that a key belongs to."""
    async with transaction(database) as session:
        return await store.get(session, business_id)
