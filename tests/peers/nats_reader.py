"""Reads the stream EVENTS at NATS_URL with nats-py, and its headers with cloudevents. One line a check;
an assertion that fails ends it with status 1. tests/peers/nats-py.sh starts it."""

import asyncio
import json
import os
import re

import nats
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

SESSIONS = 20


def partition(mac):
    """FNV-1a, 32 bits, modulo 32."""
    value = 0x811C9DC5
    for byte in mac.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % 32


async def read():
    client = await nats.connect(os.environ["NATS_URL"])
    stream = client.jetstream()
    subscription = await stream.subscribe("netapi.lab-1.session.*", ordered_consumer=True)
    messages = [await subscription.next_msg(timeout=10) for _ in range(SESSIONS)]
    info = await stream.stream_info("EVENTS")
    assert info.state.messages == SESSIONS, info.state
    await client.close()
    return messages


def check(message):
    headers, body = message.headers, json.loads(message.data)
    mac = body["message"]["sessions"][0].get("macAddress")
    assert body["id"] == headers["Nats-Msg-Id"] == headers["ce-id"], (body, headers)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", body["id"]), body["id"]
    assert headers["Netapi-Event"] == body["event"], headers
    assert headers["Netapi-Recovered"] == "true", headers
    assert headers["Netapi-Member"], headers
    if mac:
        assert message.subject == f"netapi.lab-1.session.{partition(mac)}", (message.subject, mac)
        assert headers["ce-subject"] == mac, headers
    people = json.dumps(body["message"]["sessions"][0].get("userName", ""))[1:-1]
    assert not people or people not in "".join(headers.values()), "a user's name in a header"

    event = from_binary_event(HTTPMessage(headers=dict(headers), body=message.data))
    assert event.get_id() == body["id"]
    assert event.get_type() == "com.cisco.ise.session", event.get_type()
    assert event.get_source() == "urn:netapi:pxgrid:lab-1", event.get_source()
    assert event.get_specversion() == "1.0"
    assert event.get_subject() == headers.get("ce-subject")
    assert event.get_time() is not None
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == body
    return mac


found = asyncio.run(read())
macs = [check(message) for message in found]
assert any(macs)
assert len({message.headers["Nats-Msg-Id"] for message in found}) == SESSIONS
print("ok      nats-py reads ids, headers, subjects and bodies")
print("ok      cloudevents accepts the headers as events")
