"""The program's HTTP and WebSocket server, by clients that are not ours: http.client and python3-websockets.

usage: http_test.py PROGRAM ROOT    in the build folder, where the guest images are
"""

import asyncio
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import websockets
import websockets.exceptions

PROGRAM, ROOT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "clients/python"))

import airlock_client  # noqa: E402


FOLDER = tempfile.TemporaryDirectory()
RECORDINGS = [os.path.join(FOLDER.name, name) for name in ("one.air", "other.air")]


def setUpModule():
    for path, machine in zip(RECORDINGS, ([], [os.path.join(ROOT, "machines/no-vsm.toml")])):
        done = subprocess.run([PROGRAM, "run", *machine, "--record", path, "-q"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def tearDownModule():
    FOLDER.cleanup()


class Server:
    """The program over the default machine, or over what the arguments say."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAM, "debug", *self.arguments, "--http"], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.url = re.search(r"http://127\.0\.0\.1:(\d+)/#t=([0-9a-f]{32})$", line.strip())
        assert self.url, line
        self.port, self.token = self.url.group(1), self.url.group(2)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def get(self, path, method="GET", **headers):
        """Status, headers and bytes, as they came."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=60)
        # Literally: http.client would make a path of a target that is none.
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        answer = response.status, response.headers, response.read()
        connection.close()
        return answer

    def socket(self, token=None, more="", **options):
        url = f"ws://127.0.0.1:{self.port}/ws?t={self.token if token is None else token}{more}"
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


class Page(unittest.TestCase):
    """What a browser gets."""

    def test_it_is_compressed_or_not_and_not_sent_twice(self):
        with Server() as server:
            status, headers, whole = server.get("/")
            self.assertEqual((status, headers["Content-Encoding"], headers["Cache-Control"]), (200, None, "no-cache"))
            self.assertIn(headers["Content-Type"], ("text/html; charset=utf-8", "text/plain; charset=utf-8"))
            status, small_headers, small = server.get("/", Accept_Encoding="gzip")
            self.assertEqual((status, small_headers["Content-Encoding"], small_headers["Vary"]), (200, "gzip", "Accept-Encoding"))
            self.assertEqual(gzip.decompress(small), whole)
            status, again, nothing = server.get("/", If_None_Match=headers["ETag"])
            self.assertEqual((status, again["ETag"], nothing), (304, headers["ETag"], b""))
            status, head, nothing = server.get("/", method="HEAD")
            self.assertEqual((status, int(head["Content-Length"]), nothing), (200, len(whole), b""))
            for each in (headers, small_headers, again, head):
                policy = each["Content-Security-Policy"]
                self.assertIn("default-src 'self'", policy)
                self.assertNotIn("unsafe-eval", policy)
                self.assertNotRegex(policy, r"(default|script|connect)-src[^;]*(unsafe|\*|http|data:)")

    def test_it_uses_no_other_origin(self):
        with Server() as server:
            page = server.get("/")[2].decode()
            files = re.findall(r'(?:src|href)="([^"]+)"', page)
            for file in files:
                self.assertRegex(file, r"^(\./assets/[\w.-]+|data:,)$")
            if "<html" in page:
                self.assertTrue(any(file.endswith(".js") for file in files), page)
                self.assertNotRegex(page, r"<script(?![^>]*\bsrc=)")  # which the policy would not run
            for file in (file[1:] for file in files if file.startswith("./")):
                status, headers, body = server.get(file)
                self.assertEqual((status, headers["Cache-Control"]), (200, "public, max-age=31536000, immutable"))
                if file.endswith(".css"):
                    self.assertNotRegex(body, rb"url\(\s*['\"]?(?!data:)[a-z]*:?//|@import")

    def test_there_is_nothing_else(self):
        with Server() as server:
            for path in ("/../etc/passwd", "/assets/../index.html", "//etc/passwd", "/assets", "/%2e%2e/etc/passwd", "/etc/passwd", "/index.html/"):
                self.assertEqual(server.get(path)[0], 404, path)

    def test_a_folder_is_served_instead(self):
        with tempfile.TemporaryDirectory() as above:
            folder = os.path.join(above, "page")
            os.mkdir(folder)
            for name, text in (("page/index.html", "mine"), ("secret", "secret")):
                with open(os.path.join(above, name), "w", encoding="utf-8") as file:
                    file.write(text)
            os.symlink("../secret", os.path.join(folder, "link"))
            with Server("--ui-dir", folder) as server:
                status, headers, body = server.get("/", Accept_Encoding="gzip")
                self.assertEqual((status, headers["Cache-Control"], headers["Content-Encoding"], body), (200, "no-store", None, b"mine"))
                for path in ("/link", "/../secret", "/%2e%2e/secret", "//" + above + "/secret", above + "/secret"):
                    self.assertEqual(server.get(path)[0], 404, path)
            done = subprocess.run([PROGRAM, "debug", "--http", "--ui-dir", above], capture_output=True, text=True)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("index.html", done.stderr)

    def start_page(self, *arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")}
        process = subprocess.Popen([PROGRAM, "debug", *arguments], env={**clean, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stderr.close()))
        line = process.stdout.readline()
        url = re.search(r"(\S+) in a browser: (http://127\.0\.0\.1:\d+/#t=[0-9a-f]{32}) \(Ctrl-C ends it\)$", line.strip())
        self.assertTrue(url, line)
        return process, url.group(1), url.group(2)

    def test_without_a_face_it_says_where_the_page_is_and_ends_by_a_signal(self):
        for ending in (signal.SIGINT, signal.SIGTERM):
            process, what, url = self.start_page(RECORDINGS[0])
            self.assertEqual(what, RECORDINGS[0])
            with airlock_client.connect(url) as session:
                self.assertEqual(session.hello().recording, RECORDINGS[0])
            process.send_signal(ending)
            self.assertEqual(process.wait(60), 0)

    def test_a_server_ends_by_a_signal_too_also_while_something_runs(self):
        with Server() as server:
            connection = http.client.HTTPConnection("127.0.0.1", int(server.port))
            connection.request("POST", "/rpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "focus", "params": {"at": 2**53 - 1}}),
                               {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"})
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(120), 0)
            connection.close()

    def test_a_browser_is_started_where_there_is_a_display_and_told_the_secret_by_nobody_else(self):
        programs, runtime = os.path.join(FOLDER.name, "programs"), os.path.join(FOLDER.name, "runtime")
        os.makedirs(programs, exist_ok=True)
        os.makedirs(runtime, exist_ok=True)
        said = os.path.join(FOLDER.name, "said")
        with open(os.path.join(programs, "xdg-open"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nstat -c %a "$1" > {said}.new; echo "$@" >> {said}.new; cat "$1" >> {said}.new; mv {said}.new {said}; exec sleep 1000\n')
        os.chmod(os.path.join(programs, "xdg-open"), 0o755)
        environment = {"PATH": programs + ":" + os.environ["PATH"], "XDG_RUNTIME_DIR": runtime}
        for more, display in (((), {}), (("--no-open",), {"DISPLAY": ":0"}), ((), {"DISPLAY": ":0"})):
            process, _, url = self.start_page(RECORDINGS[0], *more, **environment, **display)
            started = bool(display) and not more
            while started and not os.path.exists(said):
                self.assertIsNone(process.poll())
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 0)  # though its xdg-open goes on
            self.assertEqual(os.path.exists(said), started)
        with open(said, encoding="utf-8") as file:
            mode, arguments, content = file.read().split("\n", 2)
        self.assertEqual(mode, "600")
        self.assertRegex(arguments, r"^\S+\.html$")
        self.assertNotIn(url[-32:], arguments)
        self.assertIn(f"url={url}", content)
        self.assertEqual(os.listdir(runtime), [])

    def test_a_port_that_is_taken_is_named(self):
        with Server() as server:
            done = subprocess.run([PROGRAM, "debug", "--http", server.port], capture_output=True, text=True)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn(f"port {server.port}", done.stderr)


class Compared(unittest.IsolatedAsyncioTestCase):
    """Two recordings over one server."""

    async def test_each_run_has_its_own_session(self):
        with Server(RECORDINGS[0], "--compare", RECORDINGS[1]) as server:
            async with server.socket() as one, server.socket(more="&run=1") as other, server.socket(more="&run=0") as again:
                hello, of_other = (await call(one, 1, "hello"))["result"], (await call(other, 1, "hello"))["result"]
                self.assertEqual((hello["recording"], hello["other"]), tuple(RECORDINGS))
                self.assertEqual((of_other["recording"], of_other.get("other")), (RECORDINGS[1], None))
                await call(one, 2, "focus", at=500)
                await call(other, 2, "focus", at=700)
                self.assertEqual(json.loads(await again.recv())["params"]["focus"]["at"], 500)
                self.assertEqual((await call(one, 3, "status"))["result"]["focus"]["at"], 500)
                self.assertEqual((await call(other, 3, "status"))["result"]["focus"]["at"], 700)
                self.assertEqual((await call(other, 4, "dump", kind="core", path="x"))["error"]["code"], -32003)
                # What the other run told before this is asked, this one did not hear.
                await again.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status"}))
                self.assertEqual(json.loads(await again.recv()).get("id"), 1)

    async def test_a_run_that_is_not_there(self):
        with Server(RECORDINGS[0]) as server:
            for more in ("&run=1", "&run=-1", "&run=x"):
                with self.assertRaises(websockets.exceptions.InvalidStatusCode) as raised:
                    async with server.socket(more=more):
                        pass
                self.assertEqual(raised.exception.status_code, 404)
            with self.assertRaises(websockets.exceptions.InvalidStatusCode) as raised:
                async with server.socket(token="0" * 32, more="&run=1"):
                    pass
            self.assertEqual(raised.exception.status_code, 403)

    async def test_both_walk_at_once_and_arrive_where_they_do_alone(self):
        """Two engines in one process, each on its thread."""
        places = [1_000_000 + 37_321 * step for step in range(40)]

        async def walk(socket):
            seen = []
            for number, at in enumerate(places):
                await call(socket, 2 * number, "focus", at=at)
                seen.append((await call(socket, 2 * number + 1, "status"))["result"]["fingerprint"])
            return seen

        with Server(RECORDINGS[0], "--compare", RECORDINGS[1]) as server:
            async with server.socket() as one, server.socket(more="&run=1") as other:
                together = await asyncio.gather(walk(one), walk(other))
        for recording, seen in zip(RECORDINGS, together):
            with Server(recording) as server:
                async with server.socket() as socket:
                    self.assertEqual(await walk(socket), seen)

    def test_the_other_one_is_wrong(self):
        for other in ("no/such.air", __file__):
            done = subprocess.run([PROGRAM, "debug", RECORDINGS[0], "--compare", other, "--http"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(other, done.stderr)


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
