"""A campaign from its draft to its child run, and somebody who calls: by the public API alone."""

from collections import Counter
from typing import Any

import pytest
from tests.e2e.scene import eventually

from trunkline_dev.customer import Customer
from trunkline_dev.demo import controls

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


def test_a_campaign_is_checked_fed_stopped_and_made_up_for(customer: Customer) -> None:
    assert [verdict for verdict in controls.play(customer) if not verdict.holds] == []


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
