"""What proves a URL to be ours, and what keeps credentials for those who may read them."""

from __future__ import annotations

import base64
import os

import pytest

from trunkline_common.callbacks import callback_token, verify
from trunkline_common.sealing import CannotUnseal, Sealer, parse_keys

SECRETS = {"auth_token": 'ünïcode and "quotes"'}


def test_a_token_proves_its_parts_and_their_borders() -> None:
    token = callback_token("secret", "chn_1", "run_1", "att_1")
    assert len(token) == 32
    assert verify("secret", token, "chn_1", "run_1", "att_1")
    assert not verify("other", token, "chn_1", "run_1", "att_1")
    assert not verify("secret", token, "chn_1", "run_1", "att_2")
    assert not verify("secret", token, "chn_1run_1", "", "att_1")
    assert not verify("secret", "", "chn_1", "run_1", "att_1")
    assert not verify("secret", "\udcff", "chn_1", "run_1", "att_1")


def test_sealed_text_opens_with_its_key_and_context_only() -> None:
    old, new = os.urandom(32), os.urandom(32)
    key_id, sealed = Sealer({"k0": old}, "k0").seal(SECRETS, "chn_1")
    rotated = Sealer({"k0": old, "k1": new}, "k1")
    assert rotated.open(key_id, sealed, "chn_1") == SECRETS
    assert rotated.seal(SECRETS, "chn_1")[0] == "k1"
    assert rotated.seal(SECRETS, "chn_1")[1] != rotated.seal(SECRETS, "chn_1")[1]
    for wrong in (
        (key_id, sealed, "chn_2"),
        ("k1", sealed, "chn_1"),
        ("k9", sealed, "chn_1"),
        (key_id, sealed[:-8] + "AAAAAAA=", "chn_1"),
        (key_id, "no base64", "chn_1"),
        (key_id, "", "chn_1"),
    ):
        with pytest.raises(CannotUnseal):
            rotated.open(*wrong)


def test_keys_are_read_from_one_line() -> None:
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(2)]
    sealer = parse_keys(f"k1:{keys[0]}, k0:{keys[1]}")
    assert sealer.seal(SECRETS, "x")[0] == "k1"


@pytest.mark.parametrize("text", ["", "k1", "k1:", ":AAAA", "k1:c2hvcnQ=", "k1:***"])
def test_a_wrong_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="name:base64-of-32-bytes") as refusal:
        parse_keys(text)
    assert text == "" or text not in str(refusal.value)
