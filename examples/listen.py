#!/usr/bin/env python3
"""Prints what is said, and comes back where it stood when the connection breaks. Standard library only.

    python3 examples/listen.py [URL]

PARLEY_USERNAME and PARLEY_PASSWORD say as whom; the account is made if it is not there.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
WHO = {
    "username": os.environ.get("PARLEY_USERNAME", "listener"),
    "password": os.environ.get("PARLEY_PASSWORD", "correct horse battery"),
}
SILENCE_SECONDS = 60  # a sign of life comes every 25 s; two missed mean that the connection is dead


def call(path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json", **headers})
    return urllib.request.urlopen(request, timeout=SILENCE_SECONDS)


def log_in():
    try:
        call("/v1/register", WHO).close()
    except urllib.error.HTTPError as problem:
        if problem.code != 409:  # it is there already
            raise
    with call("/v1/login", WHO) as answer:
        return {"Authorization": "Bearer " + json.load(answer)["accessToken"]}


def frames(lines):
    """Server-Sent Events: fields, one a line, and an empty line after each event."""
    frame = {}
    for line in lines:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        if field:
            frame[field] = value.removeprefix(" ")
        elif frame and not value:
            yield frame
            frame = {}


def main():
    me, place, wait_seconds, seen = None, None, 3, set()
    while True:
        try:
            me = me or log_in()
            resume = {} if place is None else {"Last-Event-ID": place}
            with call("/v1/events", **me, **resume) as stream:
                for frame in frames(stream):
                    wait_seconds = int(frame.get("retry", wait_seconds * 1000)) / 1000
                    event = json.loads(frame.get("data", "{}"))
                    kind = event.get("kind")
                    if kind in ("dm", "broadcast") and event["id"] not in seen:
                        seen.add(event["id"])
                        print(f"{event['sentAt']} {kind} from {event['from']}: {event['text']}", flush=True)
                        if kind == "dm":
                            call("/v1/mailbox/ack", {"upTo": event["id"]}, **me).close()
                    if kind == "gap":
                        print(f"some messages are missing ({event['reason']}); see {event['history']}", flush=True)
                    if kind == "goodbye" and not event["reconnect"]:
                        return
                    place = frame.get("id", place)
        except urllib.error.HTTPError as problem:
            if problem.code == 401 and me:
                me = None  # the token has expired: log in anew
                continue
            if problem.code < 500 and problem.code != 429:
                raise
        except (OSError, http.client.HTTPException):
            pass  # not there, or gone: come back
        time.sleep(wait_seconds)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
