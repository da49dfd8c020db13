"""Whole runs through the interface: bookmarks, comparing, findings, exports, and recordings that shrink or vanish.

usage: runs_test.py PROGRAM ROOT    in the build folder, where the guest images are
"""

import base64
import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM, ROOT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "clients/python"))

import airlock_client  # noqa: E402
from airlock_client import errors  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()
INPUT_AT = 3_000_000


def path(name):
    return os.path.join(FOLDER.name, name)


def record(name, *arguments):
    done = subprocess.run([PROGRAM, "run", "--record", path(name), "-q", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path(name)


def setUpModule():
    record("a.air")
    shutil.copy(path("a.air"), path("same.air"))
    with open(path("poke.txt"), "w") as file:
        file.write(f'{INPUT_AT} serial "x"\n')
    record("poked.air", "--input", path("poke.txt"))
    record("no-vsm.air", os.path.join(ROOT, "machines/no-vsm.toml"))


def tearDownModule():
    FOLDER.cleanup()


def start(file, *arguments):
    session = airlock_client.start(file, program=PROGRAM, arguments=arguments)
    session.hello()  # it has the file open
    return session


@contextlib.contextmanager
def refused(test, code):
    with test.assertRaises(errors.AirlockError) as caught:
        yield
    test.assertEqual(caught.exception.code, code, str(caught.exception))


def copy(name):
    shutil.copy(path("a.air"), path(name))
    return path(name)


class Bookmarks(unittest.TestCase):
    def test_they_are_kept_in_the_recording_under_their_ids(self):
        file = copy("marked.air")
        with start(file) as session:
            first = session.bookmark_add("one", at=1000)
            self.assertTrue(first.saved)
            second = session.bookmark_add("=two\nwith a note", at=2000)
            self.assertTrue(session.bookmark_change(second.bookmark.id, "zwei").saved)
            self.assertTrue(session.bookmark_remove(first.bookmark.id).saved)
            self.assertEqual(session.events_count().count, session.status().events)  # it is read while it grows
        with start(file) as session:
            marks = session.bookmark_list().bookmarks
            self.assertEqual([(mark.id, mark.at, mark.text) for mark in marks], [(second.bookmark.id, 2000, "zwei")])
            self.assertEqual(session.status().complaints, [])
            with refused(self, errors.NOT_THERE):
                session.bookmark_remove(first.bookmark.id)
            with refused(self, errors.REFUSED):
                session.bookmark_add("late", at=session.status().end + 1)
            self.assertEqual(session.bookmark_add("three", at=5).bookmark.id, second.bookmark.id + 1)

    def test_a_recording_that_vanished_costs_no_bookmark_and_no_session(self):
        file = copy("gone.air")
        with start(file) as session:
            os.remove(file)
            added = session.bookmark_add("kept", at=7)
            self.assertFalse(added.saved)
            self.assertEqual([mark.text for mark in session.bookmark_list().bookmarks], ["kept"])
            self.assertTrue(any("this session only" in text for text in session.status().complaints))
            self.assertFalse(session.bookmark_change(added.bookmark.id, "still").saved)
            self.assertEqual([mark.text for mark in session.bookmark_list().bookmarks], ["still"])
            self.assertEqual(session.focus(at=1_000_000).stop.focus.at, 1_000_000)

    def test_a_recording_that_shrinks_is_an_error_or_none_and_never_an_end(self):
        for size in (0, 100, 5000, os.path.getsize(path("a.air")) // 2):
            file = copy("shrinks.air")
            with start(file) as session:
                os.truncate(file, size)
                for call in (lambda: session.focus(at=2_000_000), lambda: session.events_list(from_=0), lambda: session.events_count(),
                             lambda: session.bookmark_add("x", at=1), lambda: session.calls(), lambda: session.run(), session.status):
                    try:
                        call()
                    except errors.AirlockError as failed:
                        self.assertTrue(str(failed))
                self.assertEqual(session.hello().program, "airlock")

    def test_another_run_in_the_same_file_takes_no_bookmark(self):
        file = copy("replaced.air")
        with start(file) as session:
            shutil.copy(path("no-vsm.air"), file + ".new")
            os.replace(file + ".new", file)
            self.assertFalse(session.bookmark_add("x", at=1).saved)
            self.assertTrue(any("no longer the recording" in text for text in session.status().complaints))
        with open(path("no-vsm.air"), "rb") as before, open(file, "rb") as after:
            self.assertEqual(before.read(), after.read())


class Comparing(unittest.TestCase):
    def compare(self, other, first="a.air"):
        with start(path(first), "--compare", path(other)) as session:
            self.assertEqual(session.hello().other, path(other))
            return session.compare()

    def test_equal_runs_are_the_same(self):
        answer = self.compare("same.air")
        self.assertTrue(answer.same, answer.text)
        self.assertIsNone(answer.number)

    def test_another_input_parts_them_where_it_shows(self):
        answer = self.compare("poked.air")
        self.assertFalse(answer.same)
        self.assertIn("input 1", answer.text)
        for at in (answer.at, answer.other_at):
            if at is not None:
                self.assertGreaterEqual(at, INPUT_AT)
        self.assertIsNotNone(answer.hash_at)
        self.assertLess(answer.hash_at, INPUT_AT + 2_000_000)

    def test_another_machine_is_said_to_be_one(self):
        answer = self.compare("no-vsm.air")
        self.assertFalse(answer.same)
        self.assertIn("different machines", answer.text)
        self.assertIsNotNone(answer.number)
        self.assertIsNotNone(answer.event)
        self.assertNotEqual(answer.event.text, answer.other_event.text)

    def test_without_another_there_is_nothing_to_compare(self):
        with start(path("a.air")) as session:
            with refused(self, errors.NOT_THERE):
                session.compare()

    def test_a_run_of_a_kernel_is_checked_from_the_launch_of_the_hypervisor_on(self):
        code = b"".join(bytes([0xB0, letter, 0xE6, 0xE9]) for letter in b"hello\n")  # mov al, letter; out 0xe9, al
        with open(path("kernel"), "wb") as file:
            file.write(code + bytes([0x31, 0xC0, 0xE7, 0xF4]))  # xor eax, eax; out 0xf4, eax
        run = [PROGRAM, "run", "-q", "--kernel", path("kernel"), "--embed", "--record", path("kernel.air")]
        self.assertEqual(subprocess.run(run, capture_output=True).returncode, 1)  # that is how code 0 arrives
        with start(path("kernel.air")) as session:
            recorded = session.events_list(from_=0).events
            self.assertEqual([event.kind for event in recorded], ["HypervisorLaunched", "DebugPrint"])
            self.assertIsNone(session.status().verified)
            session.run()
            self.assertRegex(session.status().verified, "^1 events from .* are as recorded$")
        with open(path("kernel.toml"), "w") as file:
            file.write(f'[boot]\nkernel = "{path("kernel")}"\n')
        with start(path("kernel.toml")) as session:
            session.run()
            self.assertEqual([event.text for event in session.events_list(from_=0).events], [event.text for event in recorded])

    def test_the_replay_says_what_was_checked(self):
        with start(path("a.air")) as session:
            self.assertIsNone(session.status().verified)
            session.focus(at=4_000_000)
            status = session.status()
            self.assertIn("as recorded", status.verified)
            self.assertEqual(status.beginning, 0)
            self.assertEqual(status.events, session.events_count().count)


class Findings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = path("findings")
        with start(path("a.air")) as session:
            cls.events = [event.at for event in session.events_list(from_=0, maximum=2000).events]
        cls.at = cls.events[-1]
        cls.write("good", {})
        cls.write("other", {"at": cls.events[500], "text": "<script>alert(1)</script>"})
        cls.write("outside", {"recording": "../../a.air"})
        cls.write("renamed", {"id": "good"})
        cls.write("bad-number", {"at": -1})
        cls.write("no-recording", {"recording": None})
        cls.write("link", {})
        os.remove(os.path.join(cls.folder, "link", "recording.air"))
        os.symlink(path("a.air"), os.path.join(cls.folder, "link", "recording.air"))
        os.symlink(os.path.join(cls.folder, "good"), os.path.join(cls.folder, "linked-folder"))
        for name, text in (("deep", "[" * 100_000), ("huge", " " * (2 << 20)), ("text", "no JSON"), ("binary", "\udcff")):
            os.makedirs(os.path.join(cls.folder, name))
            with open(os.path.join(cls.folder, name, "finding.json"), "w", errors="surrogateescape") as file:
                file.write(text)
        os.makedirs(os.path.join(cls.folder, "fifo"))
        os.mkfifo(os.path.join(cls.folder, "fifo", "finding.json"))
        os.makedirs(os.path.join(cls.folder, "empty"))

    @classmethod
    def write(cls, name, changes):
        folder = os.path.join(cls.folder, name)
        os.makedirs(folder)
        shutil.copy(path("a.air"), os.path.join(folder, "recording.air"))
        finding = {"format": 1, "id": name, "oracle": "stale TLB use", "call": "HvCallX()", "text": "it was broken", "at": cls.at,
                   "vp": 0, "vtl": 0, "bucket": ["nt!f", "nt!g"], "recording": "recording.air"} | changes
        with open(os.path.join(folder, "finding.json"), "w") as file:
            json.dump({key: value for key, value in finding.items() if value is not None}, file)

    def check_list(self, session, opened):
        answer = session.findings()
        found = {finding.id: finding for finding in answer.findings}
        readable = {name for name, finding in found.items() if finding.oracle != "unreadable"}
        self.assertEqual(readable, {"good", "other", "no-recording"})
        self.assertEqual(set(found) - readable, {"outside", "renamed", "bad-number", "link", "deep", "huge", "text", "binary", "fifo", "empty"})
        for name, why in (("outside", "no name of a file"), ("renamed", "not the name of its folder"), ("bad-number", '"at"'), ("link", "link"),
                          ("deep", "nested"), ("huge", "bytes"), ("text", "JSON"), ("binary", "JSON"), ("fifo", "no file"), ("empty", "cannot open")):
            self.assertIn(why, found[name].text, name)
        self.assertEqual({name for name, finding in found.items() if finding.opened}, {opened} - {None})
        self.assertEqual(found["other"].text, "<script>alert(1)</script>")

    def test_opening_one_swaps_the_run_for_all(self):
        heard = []
        with start(path("no-vsm.air"), "--findings", self.folder) as session:
            session.listen(lambda name, parameters: heard.append((name, parameters)))
            self.check_list(session, None)
            session.breakpoint_set("code", "0x1000")
            stop = session.open("good").stop
            before = [at for at in dict.fromkeys(self.events) if at < self.at]
            self.assertEqual(stop.focus.at, before[-3])
            self.assertEqual(session.status().focus.at, stop.focus.at)
            hello = session.hello()
            self.assertEqual(hello.finding, "good")
            self.assertEqual(hello.recording, os.path.join(self.folder, "good", "recording.air"))
            self.assertEqual(session.breakpoint_list().breakpoints, [])
            self.check_list(session, "good")
            self.assertTrue(session.bookmark_add("here").saved)
            session.console("!bookmark")
            self.assertLess(session.open("other").stop.focus.at, self.events[500])
            for name in ("outside", "no-recording", "link", "nowhere", "../good", "", ".", "good/.", "linked-folder/../good"):
                with self.assertRaises(errors.AirlockError):
                    session.open(name)
            self.assertEqual(session.hello().finding, "other")
        names = [name for name, _ in heard]
        self.assertEqual(names.count("opened"), 2)
        self.assertIn("moved", names[names.index("opened"):])
        self.assertEqual(dict(heard)["opened"]["finding"], "other")

    def test_a_folder_is_opened_directly(self):
        with start(os.path.join(self.folder, "other")) as session:
            self.assertEqual(session.hello().finding, "other")
            self.assertLess(session.status().focus.at, self.events[500])
            self.assertGreater(session.status().focus.at, 0)
            self.check_list(session, "other")

    def test_a_folder_that_is_none_is_refused_with_its_reason(self):
        for name, why in (("link", "link"), ("no-recording", "no recording"), ("empty", "cannot open")):
            done = subprocess.run([PROGRAM, "debug", os.path.join(self.folder, name), "--rpc-stdio"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(why, done.stderr)

    def test_while_gdb_is_served_it_is_refused(self):
        with start(path("a.air"), "--findings", self.folder, "--gdb", "0") as session:
            with self.assertRaises(errors.AirlockError) as refused_call:
                session.open("good")
            self.assertIn("gdb", str(refused_call.exception))
            self.assertIsNone(session.hello().finding)


class Stretches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = start(path("a.air"))
        cls.session.focus(at=2_000_000)
        cls.end = cls.session.status().end

    @classmethod
    def tearDownClass(cls):
        cls.session.close()

    def tearDown(self):
        self.assertEqual(self.session.status().focus.at, 2_000_000)  # nothing moves

    def export(self, kind, first, last, **more):
        answer = self.session.export(kind, first, last, **more)
        self.assertTrue(answer.name.startswith("airlock-"))
        return base64.b64decode(answer.base64, validate=True), answer

    def test_events_as_csv(self):
        data, answer = self.export("csv", 0, self.end)
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        self.assertEqual(len(rows), self.session.events_count().count)
        self.assertEqual(answer.text, f"{len(rows)} events")
        events = self.session.events_list(from_=0, maximum=50).events
        self.assertEqual([(int(row["at"]), row["kind"]) for row in rows[:50]], [(event.at, event.kind) for event in events])
        for row in rows:
            for value in row.values():
                self.assertNotIn(value[:1], ("=", "+", "-", "@"))

    def test_files_of_other_tools(self):
        data, _ = self.export("perfetto", 1_000_000, 3_000_000)
        self.assertGreater(len(data), 100)
        data, answer = self.export("drcov", 0, 3_000_000)
        self.assertTrue(data.startswith(b"DRCOV VERSION: 2\n"), answer.text)
        data, _ = self.export("tenet", 2_000_000, 2_000_100)
        self.assertEqual(len(data.splitlines()), 100)
        place = self.session.symbols_at  # the first line is where the focus is
        rip = next(register.value for register in self.session.registers().registers if register.name == "rip")
        self.assertIn(f"rip={rip:#x}".encode(), data.splitlines()[0])
        self.assertIsNotNone(place)

    def test_bad_stretches_are_refused(self):
        for kind, first, last in (("csv", 5, 5), ("tenet", 0, 2_000_000), ("drcov", 0, 1 << 40), ("drcov", self.end, self.end + 5), ("tenet", 9, 3)):
            with self.assertRaises(errors.AirlockError, msg=kind):
                self.session.export(kind, first, last)

    def test_cycles_have_reasons(self):
        answer = self.session.cycles(1_000_000, 1_100_000)
        self.assertGreater(answer.cycles, 10_000)
        total = sum(int(row.cells[1]) for row in answer.rows)
        self.assertAlmostEqual(total, answer.cycles, delta=len(answer.rows))
        costs = [int(row.cells[1]) for row in answer.rows]
        self.assertEqual(costs, sorted(costs, reverse=True))
        self.assertEqual(self.session.cycles(1_000_000, 1_100_000), answer)

    def test_all_of_it_can_be_interrupted(self):
        with start(path("a.air"), "--compare", path("same.air")) as session:
            session.run()
            ended = []

            def call():
                try:
                    session.cycles(0, min(session.status().end, 10_000_000))
                    ended.append("whole")
                except errors.AirlockError as failed:
                    ended.append(str(failed))

            for _ in range(20):
                ended.clear()
                thread = threading.Thread(target=call)
                thread.start()
                time.sleep(0.05)
                session.interrupt()
                thread.join()
                if ended[0] != "whole":
                    break
            self.assertIn("interrupted", ended[0])
            self.assertTrue(session.compare().same)  # the next call is not touched


if __name__ == "__main__":
    unittest.main()
