#!/usr/bin/env python3
"""Prints messages as they arrive. Reconnects and resumes after a lost connection. Standard library only.

    python3 examples/listen.py [URL]

Set PARLEY_USERNAME and PARLEY_PASSWORD. Creates the account if it does not exist.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
CREDENTIALS = {
    "username": os.environ.get("PARLEY_USERNAME", "listener"),
    "password": os.environ.get("PARLEY_PASSWORD") or sys.exit("Set PARLEY_PASSWORD to a password that nobody else knows."),
}
SILENCE_SECONDS = 60  # heartbeats come every 25 s; after two missed ones the connection is dead


def call(path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json", **headers})
    return urllib.request.urlopen(request, timeout=SILENCE_SECONDS)


def log_in():
    try:
        call("/v1/register", CREDENTIALS).close()
    except urllib.error.HTTPError as problem:
        if problem.code != 409:  # the account exists
            raise
    with call("/v1/login", CREDENTIALS) as response:
        return {"Authorization": "Bearer " + json.load(response)["accessToken"]}


def frames(lines):
    """Parses Server-Sent Events: one field per line, a blank line after each event."""
    frame = {}
    for line in lines:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        if field:
            frame[field] = value.removeprefix(" ")
        elif frame and not value:
            yield frame
            frame = {}


def main():
    auth, last_event_id, wait_seconds, seen = None, None, 3, set()
    while True:
        try:
            auth = auth or log_in()
            resume = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
            with call("/v1/events", **auth, **resume) as stream:
                for frame in frames(stream):
                    wait_seconds = int(frame.get("retry", wait_seconds * 1000)) / 1000
                    event = json.loads(frame.get("data", "{}"))
                    kind = event.get("kind")
                    if kind in ("dm", "broadcast") and event["id"] not in seen:
                        seen.add(event["id"])
                        print(f"{event['sentAt']} {kind} from {event['from']}: {event['text']}", flush=True)
                        if kind == "dm":
                            call("/v1/mailbox/ack", {"upTo": event["id"]}, **auth).close()
                    if kind == "gap":
                        print(f"some messages are missing ({event['reason']}); see {event['history']}", flush=True)
                    if kind == "goodbye" and not event["reconnect"]:
                        return
                    last_event_id = frame.get("id", last_event_id)
        except urllib.error.HTTPError as problem:
            if problem.code == 401 and auth:
                auth = None  # the token has expired: log in again
                continue
            if problem.code < 500 and problem.code != 429:
                raise
        except (OSError, http.client.HTTPException):
            pass  # unreachable or disconnected: try again below
        time.sleep(wait_seconds)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
