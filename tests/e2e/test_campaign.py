"""A campaign from its draft to its child run, and somebody who calls: by the public API alone."""

from collections import Counter
from typing import Any

import pytest
from tests.e2e.scene import Campaign, eventually, numbers

from trunkline_dev.customer import Customer

pytestmark = pytest.mark.timeout(150)

CALLER = "+4930231291009"  # presses 9 at whatever asks for keys
MENU = {
    "steps": [
        {
            "do": "gather",
            "prompt": [{"do": "say", "text": "Lindenhof Opticians. Press 9 to be left alone."}],
            "actions": {"9": {"do": "opt_out", "say": "Done. Goodbye."}},
        }
    ],
    "language": "en-GB",
}


def control(campaign: Campaign, what: str, body: object = None) -> dict[str, Any]:
    """Ask, and read what came of it."""
    api, path = campaign.customer.api, f"/v1/runs/{campaign.id}"
    asked = api.post(f"{path}/{what}", body)

    def told() -> dict[str, Any]:
        answer: dict[str, Any] = api.get(f"{path}/controls/{asked['id']}")
        return answer

    eventually(lambda: told()["state"] == "done", f"answer to {what}", told=told)
    answer: dict[str, Any] = told()["answer"]
    return answer


def forecast_of(campaign: Campaign) -> dict[str, Any]:
    """What would become of it: counted while it is a draft, and nothing is started by that."""
    api, path = campaign.customer.api, f"/v1/runs/{campaign.id}/forecast"
    api.post(path)
    eventually(lambda: api.get(path)["state"] == "done", "forecast", told=lambda: api.get(path))
    assert campaign.requests.total() == 0
    forecast: dict[str, Any] = api.get(path)["forecast"]
    return forecast


def await_state(campaign: Campaign, state: str) -> None:
    eventually(lambda: campaign.run["state"] == state, state, told=lambda: campaign.run)


def test_a_campaign_is_checked_fed_stopped_and_made_up_for(customer: Customer) -> None:
    customer.add_voice(per_second=50.0)
    audience = numbers(15)
    imported = customer.import_numbers(audience[:12])
    run_id = customer.draft("voice", imported["id"], per_second=2)["id"]
    campaign = Campaign(customer, "voice", run_id, frozenset(audience))
    assert customer.api.post(f"/v1/runs/{run_id}/validate") == {"valid": True, "problems": []}
    assert forecast_of(campaign)["contacts"] == 12

    customer.start(run_id)
    campaign.await_requests(2)
    control(campaign, "pause")
    paused_at = campaign.requests.total()
    more = customer.import_numbers(audience[12:])
    added = control(campaign, "contacts", {"import_id": more["id"]})
    assert (added["added"], added["rejects"]) == (3, 0)
    assert campaign.requests.total() <= paused_at + 2  # what was under way, and nothing new
    control(campaign, "resume")
    campaign.await_requests(paused_at + 2)

    receipt = control(campaign, "cancel")
    assert receipt["stopped"] + receipt["in_flight"] + receipt["ended"] == 15
    await_state(campaign, "cancelled")
    stopped = campaign.run["states"]["cancelled"]  # and what was in flight and had not left yet
    assert 0 < receipt["stopped"] <= stopped <= receipt["stopped"] + receipt["in_flight"]
    assert campaign.requests.total() == 15 - stopped

    asked = {"key": "the-rest", "outcomes": ["cancelled"], "policy": {"per_second": 50}}
    child, again = (
        customer.api.post(f"/v1/runs/{run_id}/reruns", asked | {"start": True}) for _ in range(2)
    )
    assert again["id"] == child["id"]
    made_up = Campaign(customer, "voice", child["id"], campaign.audience)
    await_state(made_up, "completed")
    assert made_up.run["total"] == stopped
    assert campaign.requests == dict.fromkeys(audience, 1)  # in both runs together


def test_who_calls_back_hears_the_business_and_may_opt_out(customer: Customer) -> None:
    account = customer.add_voice()
    where = f"/v1/channels/{account.channel_id}/inbound"
    answer = customer.api.ask("PUT", where, body=MENU)
    assert answer.status == 200, answer.body
    told = customer.api.get(where)
    number = next(customer.api.pages("/v1/channels"))["senders"][0]
    order = {
        "account_sid": account.account,
        "from": CALLER,
        "to": number,
        "voice_url": told["voice_url"],
        "status_callback": told["status_url"],
    }
    sid = customer.stack.sandbox().post("/sandbox/twilio/inbound", order)["sid"]

    def calls() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = customer.api.get("/v1/calls", direction="inbound")["data"]
        return listed

    eventually(lambda: [c["state"] for c in calls()] == ["ended"], "ended call", told=calls)
    [call] = calls()
    assert (call["provider_call_id"], call["run_id"]) == (sid, None)
    suppressed = Counter(one["value"] for one in customer.api.pages("/v1/suppressions"))
    assert suppressed == {CALLER: 1}
