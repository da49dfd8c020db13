"""The Python client and the program over standard input and output.

usage: client_test.py PROGRAM ROOT    in the build folder, where the guest images are
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM, ROOT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "clients/python"))

import airlock_client  # noqa: E402
from airlock_client import errors  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()
RECORDING = os.path.join(FOLDER.name, "boot.air")


def setUpModule():
    done = subprocess.run([PROGRAM, "run", "--record", RECORDING, "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def tearDownModule():
    FOLDER.cleanup()


def start(*arguments):
    return airlock_client.start(RECORDING, program=PROGRAM, arguments=arguments)


class Recorded(unittest.TestCase):
    """One session over a recording of a boot with VTL 1."""

    @classmethod
    def setUpClass(cls):
        cls.session = start()
        cls.call = next(call for call in cls.session.calls(maximum=100).calls if "CreateProcess" in call.text)

    @classmethod
    def tearDownClass(cls):
        cls.session.close()

    def test_hello_says_what_is_debugged(self):
        hello = self.session.hello(client="test")
        self.assertEqual(hello.program, "airlock")
        self.assertEqual(hello.recording, RECORDING)
        self.assertFalse(hello.live)
        self.assertIn("memory.read", hello.methods)
        self.assertEqual(hello.memory % 4096, 0)

    def test_motion_is_exact_and_symmetric(self):
        at = self.call.at
        stop = self.session.focus(at=at).stop
        self.assertEqual((stop.focus.at, stop.focus.vtl), (at, 0))
        print_before = self.session.status().fingerprint
        self.assertEqual(self.session.step("into").stop.focus.vtl, 1)
        self.assertNotEqual(self.session.status().fingerprint, print_before)
        self.assertEqual(self.session.step("into", back=True).stop.focus.at, at)
        self.assertEqual(self.session.status().fingerprint, print_before)

    def test_both_worlds_are_seen_from_one_place(self):
        at = self.call.at
        for vtl, module in ((0, "nt"), (1, "securekernel")):
            focus = airlock_client.Focus(at=at + 1, vp=0, vtl=vtl)
            answer = self.session.registers(focus=focus)
            self.assertEqual(answer.active, vtl == 1)
            rip = next(register.value for register in answer.registers if register.name == "rip")
            place = self.session.symbols_at(rip, focus=focus).place
            self.assertIn(place.module, (module, None))  # None: the hypercall page

    def test_memory_of_vtl_1_is_denied_to_vtl_0(self):
        end = self.session.status().end
        focus = airlock_client.Focus(at=end, vp=0, vtl=0)
        modules = self.session.modules(focus=focus).modules  # hvloader in VTL 0 announces it too, when it puts it there
        secure = next(module for module in modules if module.name == "securekernel" and module.vtl == 1)
        as_vtl1 = airlock_client.Focus(at=end, vp=0, vtl=1)
        parts = self.session.memory_read("gva", secure.base, 16, focus=as_vtl1).parts
        self.assertEqual(parts[0].state, "readable")
        self.assertEqual(parts[0].bytes[:2], b"MZ")
        walk = self.session.walk(secure.base, "read", focus=as_vtl1)
        self.assertTrue(walk.granted)
        denied = self.session.memory_read("gpa", walk.gpa, 16, focus=focus).parts
        self.assertEqual([part.state for part in denied], ["denied"])
        self.assertIsNone(denied[0].bytes)
        self.assertFalse(walk.rights[0].read)
        self.assertTrue(walk.rights[1].read)

    def test_a_walk_says_what_each_reference_is_and_what_all_of_them_cost(self):
        end = self.session.status().end
        modules = self.session.modules(focus=airlock_client.Focus(at=end, vp=0, vtl=0)).modules
        secure = next(module for module in modules if module.name == "securekernel" and module.vtl == 1)
        walk = self.session.walk(secure.base, "write", focus=airlock_client.Focus(at=end, vp=0, vtl=1))
        first = [one for one in walk.references if one.stage == 1]
        self.assertEqual([one.name for one in first][:3], ["PML4E", "PDPTE", "PDE"])
        for one in first:
            self.assertEqual(one.index, one.spa % 4096 // 8)
            self.assertEqual(len(one.rights), 2)
            self.assertTrue(one.rights[1].read)
            self.assertFalse(one.rights[0].mapped and one.rights[0].read)  # VTL 0 does not see the tables of VTL 1
            self.assertTrue(one.flags.startswith("P"), one.flags)
        self.assertEqual([one.rights for one in walk.references if one.stage == 2], [[]] * (len(walk.references) - len(first)))
        self.assertFalse(walk.granted)  # headers of an image are not writable
        denied = [one for one in walk.references if one.denied]
        self.assertEqual([(one.name, "W" in one.flags.split()) for one in denied], [("PTE", False)])
        lines = {one.spa // 64 for one in walk.references}
        self.assertEqual(walk.cycles, 200 * len(lines) + 4 * (len(walk.references) - len(lines)))

    def test_symbols_and_source(self):
        focus = airlock_client.Focus(at=self.call.at, vp=0, vtl=0)
        symbols = self.session.symbols_find("nt!*", focus=focus, maximum=5)
        self.assertEqual(len(symbols.symbols), 5)
        self.assertTrue(symbols.more)
        place = self.session.symbols_find("securekernel!sk::ShvlEnableVpVtl", focus=focus).symbols[0].place
        self.assertTrue(place.file.endswith("hypercall.cpp"), place)
        lines = self.session.source(place.file, from_=place.line - 2, count=5).lines
        self.assertTrue(any("EnableVpVtl" in line for line in lines), lines)
        self.session.focus(at=self.call.at)
        places = self.session.source_places(place.file, place.line).places
        self.assertIn(place.address, [one.address for one in places])
        self.assertTrue(self.session.types_find("nt!*", maximum=3).names)

    def test_the_stack_crosses_the_call(self):
        frames = self.session.stack(focus=airlock_client.Focus(at=self.call.at + 1, vp=0, vtl=1)).frames
        self.assertIn("vtl_call", [frame.entered for frame in frames])
        self.assertEqual(frames[-1].vtl, 0)

    def test_who_wrote_is_found_in_the_past(self):
        self.session.focus(at=self.call.at)
        answer = self.session.who_wrote("register", register="rcx")
        self.assertTrue(answer.found)
        self.assertLess(answer.at.at, self.call.at)

    def test_events_have_names_and_a_past(self):
        listed = self.session.events_list(from_=0, maximum=50)
        self.assertEqual(len(listed.events), 50)
        self.assertTrue(listed.more)
        instants = [event.at for event in listed.events]
        self.assertEqual(instants, sorted(instants))
        back = self.session.events_list(from_=instants[-1], back=True, maximum=1000)
        earlier = [event.at for event in listed.events if event.at < instants[-1]]
        self.assertEqual([event.at for event in reversed(back.events)], earlier)
        self.assertFalse(back.more)
        whole = self.session.events_count().count
        end = self.session.status().end
        summary = self.session.events_summary(0, end + 1, 7)
        self.assertEqual(sum(sum(bucket.counts) for bucket in summary.buckets), whole)
        self.assertEqual(sum(bucket.vtl0 + bucket.vtl1 for bucket in summary.buckets), end)

    def everything(self):
        """All rows of the list, asked for piece by piece."""
        events = []
        while True:
            piece = self.session.events_slice(len(events), 500)
            self.assertTrue(piece.complete)
            if not piece.events:
                self.assertEqual(piece.total, len(events))
                return events
            events += piece.events

    def test_the_list_of_events_has_rows(self):
        events = self.everything()
        self.assertEqual([event.number for event in events], list(range(len(events))))
        at = events[len(events) // 2].at
        self.assertEqual(self.session.events_locate(at).row, next(i for i, event in enumerate(events) if event.at >= at))
        self.assertEqual(self.session.events_locate(self.session.status().end + 1).row, len(events))
        wanted = [event.number for event in events if event.kind == "Hypercall" and event.vtl == 0]
        query = "kind == Hypercall and vtl == 0"
        found = self.session.events_slice(0, 1000, query=query)
        self.assertTrue(found.complete)
        self.assertEqual([event.number for event in found.events], wanted)
        self.assertEqual(self.session.events_count(query=query).count, len(wanted))
        self.assertEqual([event.number for event in self.session.events_slice(3, 4, query=query).events], wanted[3:7])
        self.assertEqual(self.session.events_locate(at, query=query).row, sum(1 for number in wanted if events[number].at < at))
        images = [event.number for event in events if event.kind == "ImageLoaded"]
        found = self.session.events_slice(0, 1000, query='image ~ "*" and kind == ImageLoaded')
        self.assertEqual([event.number for event in found.events], images)

    def test_a_summary_counts_what_is_listed(self):
        events, end = self.everything(), self.session.status().end
        for first, last, query in ((0, end + 1, None), (end // 3, end // 3 + 12345, None), (0, end + 1, "kind == VtlCall"), (end // 7, end, "vtl == 1")):
            kinds = {"kind == VtlCall": lambda event: event.kind == "VtlCall", "vtl == 1": lambda event: event.vtl == 1}.get(query, lambda event: True)
            summary = self.session.events_summary(first, last, 37, query=query)
            self.assertTrue(summary.complete)
            self.assertEqual((summary.buckets[0].from_, summary.buckets[-1].to), (first, last))
            for bucket in summary.buckets:
                counts = dict.fromkeys(summary.kinds, 0)
                for event in events:
                    if bucket.from_ <= event.at < bucket.to and kinds(event):
                        counts[event.kind] += 1
                self.assertEqual(bucket.counts, list(counts.values()))
                self.assertEqual(sum(bucket.lanes), min(bucket.to, end) - bucket.from_)
                self.assertEqual((bucket.lanes[0], bucket.lanes[1] + bucket.lanes[2]), (bucket.vtl0, bucket.vtl1))

    def test_calls_of_a_window_are_those_of_the_whole(self):
        whole = self.session.calls(maximum=100000, hypercalls=True).calls
        self.assertTrue(all(call.inclusive >= call.exclusive for call in whole if call.end is not None))
        self.assertEqual({call.kind for call in whole} & {"vtl_call", "vtl_return", "hypercall"}, {"vtl_call", "vtl_return", "hypercall"})
        for middle in (self.call.at + 50, whole[len(whole) // 2].at, whole[-5].at + 1):
            window = self.session.calls(from_=middle, to=middle + 5000, enclosing=True, hypercalls=True, maximum=100000)
            self.assertTrue(window.complete)
            overlap = [call for call in whole if call.at < middle + 5000 and (call.at >= middle or call.end is None or call.end >= middle)
                       and (call.at >= middle or call.kind != "hypercall")]
            self.assertEqual([(call.at, call.depth, call.name) for call in window.calls], [(call.at, call.depth, call.name) for call in overlap])
            for short, long in zip(window.calls, overlap):
                if long.end is not None and long.end < middle + 5000:
                    self.assertEqual((short.end, short.inclusive, short.exclusive, short.text), (long.end, long.inclusive, long.exclusive, long.text))
                else:
                    self.assertIsNone(short.end)

    def test_calls_that_are_open_are_those_of_a_walk_from_the_beginning(self):
        seed = random.randrange(1 << 32)
        print("calls that are open: seed", seed)
        prng = random.Random(seed)
        switches = self.session.events_list(from_=0, maximum=10000, query='kind == "VtlCall" or kind == "VtlReturn" or kind == "VtlInterruptEntry"').events
        points = [switch.at + offset for switch in prng.sample(switches, 40) for offset in (0, 1)]
        points += [prng.randrange(self.session.status().end) for _ in range(20)]
        threads = 0
        for at in points:
            expected = self.open_calls([switch for switch in switches if switch.at < at])
            for hypercalls in (False, True):
                answer = self.session.calls(from_=at, to=at + 1, enclosing=True, hypercalls=hypercalls)
                self.assertTrue(answer.complete)
                self.assertEqual([(call.at, call.kind) for call in answer.calls if call.at < at], expected, at)
            threads += [call.name for call in answer.calls if call.at < at].count("ResumeThread")
        self.assertGreater(threads, 0)

    def open_calls(self, switches):
        """Of one processor: what runs in VTL 1, and what waits there for the answers to its requests, by cookies."""
        inside, interrupt, requests = None, None, []
        waiting = {}
        for switch in switches:
            cookie = switch.a >> 32  # the first word of SKCALL is in RBX
            answered = [request for request in requests if request[1] == cookie]
            if switch.kind == "VtlInterruptEntry":
                interrupt = switch.at
            elif interrupt is not None:  # its registers are those of nobody's call
                self.assertEqual(switch.kind, "VtlReturn")
                interrupt = None
            elif switch.kind == "VtlCall" and switch.name == "ResumeThread" and answered:
                requests.remove(answered[-1])
                inside = waiting.pop(answered[-1])
            elif switch.kind == "VtlCall":
                inside = switch.at
            elif switch.name in ("finished", ""):
                inside = None
            else:
                requests.append((switch.at, cookie))
                waiting[requests[-1]] = inside
                inside = None
        found = [(at, "vtl_return") for at, _ in requests]
        found += [(at, "vtl_call") for at in [*waiting.values(), inside] if at is not None]
        found += [(interrupt, "interrupt")] if interrupt is not None else []
        return sorted(found)

    def test_a_summary_by_events_has_equally_many_of_them_to_a_bucket(self):
        whole = self.session.events_count().count
        events = self.session.events_list(from_=0, maximum=whole).events
        answer = self.session.events_summary(10, 10 + 3 * 40, 40, by="events")
        self.assertTrue(answer.complete)
        self.assertEqual([bucket.row for bucket in answer.buckets], list(range(10, 130, 3)))
        for bucket in answer.buckets:
            inside = events[bucket.row : bucket.row + 3]
            self.assertEqual((bucket.from_, bucket.to), (inside[0].at, events[bucket.row + 3].at))
            kinds = [answer.kinds[i] for i, number in enumerate(bucket.counts) for _ in range(number)]
            self.assertEqual(kinds, sorted((event.kind for event in inside), key=answer.kinds.index))
            self.assertEqual(sum(bucket.lanes), (bucket.to - bucket.from_) * self.session.hello().processors)
        asked = self.session.events_summary(0, whole, 1, query="kind == Hypercall", by="events").buckets[0]
        self.assertEqual(sum(asked.counts), sum(event.kind == "Hypercall" for event in events))
        beyond = self.session.events_summary(whole, whole + 10, 2, by="events").buckets
        self.assertTrue(all(bucket.row == whole and sum(bucket.counts) == 0 for bucket in beyond))

    def test_kernels_are_read_by_their_types(self):
        focus = airlock_client.Focus(at=self.session.status().end, vp=0, vtl=1)
        names = {process.name.lower() for process in self.session.processes(focus=focus).processes}
        self.assertTrue(names)
        self.assertTrue(self.session.trustlets(focus=focus).trustlets)
        table = self.session.kernel_table("handles", focus=focus)
        self.assertTrue(all(len(row.cells) == len(table.columns) for row in table.rows))

    def test_a_listing_counts_what_ran_in_the_world_of_its_module(self):
        self.session.focus(at=self.call.at)
        path = os.path.join(FOLDER.name, "securekernel.lst")
        answer = self.session.dump("listing", path, module="securekernel")
        self.assertRegex(answer.text, r"[1-9]\d* of \d+ instructions")
        with open(path, encoding="utf-8") as file:
            counted = re.findall(r"^ +([1-9]\d*)  [0-9a-f]{16}  ", file.read(), re.M)
        self.assertGreater(len(counted), 1000)
        plain = self.session.dump("listing", path, module="securekernel", coverage=False)
        self.assertNotIn("ran", plain.text)

    def test_refusals_carry_their_code(self):
        for code, call in (
            (errors.INVALID_PARAMETERS, lambda: self.session.memory_read("gva", 0, 0)),
            (errors.INVALID_PARAMETERS, lambda: self.session.step("sideways")),
            (errors.INVALID_PARAMETERS, lambda: self.session.focus(vp=9)),
            (errors.NOT_THERE, lambda: self.session.symbols_at(0) and self.session.type("no_such_type")),
            (errors.REFUSED, lambda: self.session.memory_write("gva", 0, b"x")),
            (errors.METHOD_NOT_FOUND, lambda: self.session.call("no.such.method", {})),
        ):
            with self.assertRaises(airlock_client.AirlockError) as raised:
                call()
            self.assertEqual(raised.exception.code, code, raised.exception.message)

    def test_listeners_hear_of_motion(self):
        heard, arrived = [], threading.Event()

        def listener(name, parameters):
            heard.append((name, parameters))
            arrived.set()

        self.session.listen(listener)
        self.session.focus(at=12345)
        self.assertTrue(arrived.wait(60))
        self.assertEqual(heard[0][0], "moved")
        self.assertEqual(heard[0][1]["focus"]["at"], 12345)

    def test_the_example_runs(self):
        example = os.path.join(ROOT, "clients/python/examples/both_sides_of_a_call.py")
        environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "clients/python")}
        done = subprocess.run([sys.executable, example, RECORDING, PROGRAM], capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(" -> "), 10, done.stdout)


class Damaged(unittest.TestCase):
    """What is no recording, or not a whole one."""

    def open(self, data):
        path = os.path.join(FOLDER.name, "damaged.air")
        with open(path, "wb") as file:
            file.write(data)
        return subprocess.run([PROGRAM, "debug", path, "--rpc-stdio"], input=b"", capture_output=True)

    def whole(self):
        with open(RECORDING, "rb") as file:
            return file.read()

    def test_what_is_no_recording_is_refused_with_the_reason(self):
        for data in (b"", b"x", b"MZ" + bytes(5000), self.whole()[:40], b"\0" * 100 + self.whole()):
            done = self.open(data)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(b"airlock debug: ", done.stderr)
            self.assertEqual(done.stdout, b"")

    def test_a_file_that_is_not_there(self):
        done = subprocess.run([PROGRAM, "debug", "no/such.air", "--rpc-stdio"], input=b"", capture_output=True)
        self.assertEqual(done.returncode, 4, done.stderr)

    def test_a_recording_that_was_cut_off_can_be_debugged_as_far_as_it_goes(self):
        path = os.path.join(FOLDER.name, "cut.air")
        whole = self.whole()
        ends = []
        for length in (len(whole) - 100, len(whole) * 2 // 3):
            with open(path, "wb") as file:
                file.write(whole[:length])
            with airlock_client.start(path, program=PROGRAM) as session:
                status = session.status()
                self.assertTrue(status.complaints)
                self.assertEqual(session.focus(at=status.end).stop.focus.at, status.end)
                ends.append(status.end)
        self.assertGreater(ends[0], 0)
        self.assertGreaterEqual(ends[0], ends[1])

    def test_comparing_takes_two_recordings(self):
        for arguments in (["--compare", RECORDING], [RECORDING, "--compare", "machine.toml"]):
            done = subprocess.run([PROGRAM, "debug", *arguments, "--http"], input=b"", capture_output=True)
            self.assertEqual(done.returncode, 2, done.stderr)


class Lines(unittest.TestCase):
    """Bytes that a client would not send."""

    def test_malformed_lines_are_answered_and_the_next_one_is_served(self):
        good = {"jsonrpc": "2.0", "id": 7, "method": "status"}
        bad = [b"{", b"[]", b"\xff\xfe", b"null", b"x" * 2_000_000, b"[" * 200_000, b'{"jsonrpc":"2.0","method":1}']
        text = b"\n".join(bad + [json.dumps(good).encode()]) + b"\n"
        done = subprocess.run([PROGRAM, "debug", RECORDING, "--rpc-stdio"], input=text, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(answers), len(bad) + 1)
        self.assertTrue(all("error" in answer for answer in answers[:-1]))
        self.assertEqual(answers[-1]["id"], 7)
        self.assertIn("result", answers[-1])

    def test_the_program_ends_with_its_client(self):
        session = start()
        session.hello()
        session.close()
        with self.assertRaises(airlock_client.ConnectionEnded):
            session.hello()


class Live(unittest.TestCase):
    def test_a_machine_is_run_as_far_as_one_goes(self):
        with airlock_client.start(program=PROGRAM) as session:
            self.assertTrue(session.hello().live)
            self.assertEqual(session.status().end, 0)
            self.assertEqual(session.focus(at=2_000_000).stop.focus.at, 2_000_000)
            self.assertGreaterEqual(session.status().end, 2_000_000)
            self.assertEqual(session.step("into", back=True).stop.focus.at, 1_999_999)


if __name__ == "__main__":
    unittest.main()
