"""The program's HTTP and WebSocket server, by clients that are not ours: http.client and python3-websockets.

usage: http_test.py PROGRAM ROOT    in the build folder, where the guest images are
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import unittest

import websockets

PROGRAM, ROOT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "clients/python"))

import airlock_client  # noqa: E402


class Server:
    """The program over the default machine."""

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAM, "debug", "--http"], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.url = re.search(r"http://127\.0\.0\.1:(\d+)/#t=([0-9a-f]{32})$", line.strip())
        assert self.url, line
        self.port, self.token = self.url.group(1), self.url.group(2)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def socket(self, token=None, **options):
        url = f"ws://127.0.0.1:{self.port}/ws?t={self.token if token is None else token}"
        return websockets.connect(url, max_size=None, **options)


async def call(socket, number, method, **parameters):
    """The answer to one request; notifications before it are passed over."""
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}))
    while True:
        message = json.loads(await socket.recv())
        if message.get("id") == number:
            return message


class Http(unittest.TestCase):
    def test_the_client_talks_to_it(self):
        with Server() as server, airlock_client.connect(server.url.group(0)) as session:
            self.assertTrue(session.hello().live)
            self.assertEqual(session.focus(at=1000).stop.focus.at, 1000)
            with self.assertRaises(airlock_client.AirlockError) as raised:
                session.dump("core", "somewhere")
            self.assertEqual(raised.exception.code, -32003)
            self.assertFalse(os.path.exists("somewhere"))
        with self.assertRaises(airlock_client.ConnectionEnded):
            session.hello()

    def test_another_token_is_refused(self):
        with Server() as server:
            session = airlock_client.connect(server.url.group(0).replace(server.token, "0" * 32))
            with self.assertRaises(airlock_client.ConnectionEnded) as raised:
                session.hello()
            self.assertIn("403", str(raised.exception))
            session.close()


class WebSockets(unittest.IsolatedAsyncioTestCase):
    async def test_several_clients_share_a_session(self):
        with Server() as server:
            async with server.socket() as one, server.socket() as two:
                self.assertEqual((await call(one, 1, "focus", at=500))["result"]["stop"]["focus"]["at"], 500)
                heard = json.loads(await two.recv())
                self.assertEqual((heard["method"], heard["params"]["focus"]["at"]), ("moved", 500))
                self.assertEqual((await call(two, "a", "status"))["result"]["focus"]["at"], 500)

    async def test_fragments_and_pings_are_understood(self):
        with Server() as server:
            async with server.socket() as socket:
                await (await socket.ping())
                text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status"})
                await socket.send([text[:5], text[5:9], text[9:]])
                self.assertIn("result", json.loads(await socket.recv()))

    async def test_foreign_pages_and_tokens_are_refused(self):
        with Server() as server:
            for options in ({"origin": "http://evil.example"}, {"token": ""}, {"token": "0" * 32},
                            {"extra_headers": {"Host": "evil.example"}}):
                with self.assertRaises(websockets.exceptions.InvalidStatusCode) as raised:
                    async with server.socket(**options):
                        pass
                self.assertIn(raised.exception.status_code, (400, 403, 421))
            async with server.socket(origin=f"http://127.0.0.1:{server.port}") as socket:
                self.assertIn("result", await call(socket, 1, "status"))

    async def test_what_is_too_long_or_binary_ends_that_connection_only(self):
        with Server() as server:
            async with server.socket() as steady:
                for message, code in (("x" * 2_000_000, 1009), (b"binary", 1003)):
                    async with server.socket() as socket:
                        await socket.send(message)
                        with self.assertRaises(websockets.exceptions.ConnectionClosed):
                            await socket.recv()
                        self.assertEqual(socket.close_code, code)
                self.assertIn("result", await call(steady, 1, "status"))

    async def test_a_motion_is_interrupted_by_another_client(self):
        with Server() as server:
            async with server.socket() as one, server.socket() as two:
                await one.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "focus", "params": {"at": 2**53 - 1}}))
                answer = asyncio.ensure_future(self.answer(one))
                # Asked for until it has an effect: the first one may arrive before the motion does.
                while not answer.done():
                    self.assertEqual((await call(two, 2, "interrupt"))["result"], {})
                    await asyncio.wait([answer], timeout=1)
                self.assertEqual(answer.result()["result"]["stop"]["reason"], "interrupted")

    async def answer(self, socket):
        while True:
            message = json.loads(await socket.recv())
            if "id" in message:
                return message


if __name__ == "__main__":
    unittest.main()
