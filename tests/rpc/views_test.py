"""Views of the interface over a recorded boot: trails, stacks and their words, locals, pages and what belongs to whom.

usage: views_test.py PROGRAM ROOT    in the build folder, where the guest images are
"""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM, ROOT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "clients/python"))

import airlock_client  # noqa: E402
from airlock_client import Focus, errors  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()
RECORDING = os.path.join(FOLDER.name, "boot.air")


def setUpModule():
    done = subprocess.run([PROGRAM, "run", "--record", RECORDING, "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def tearDownModule():
    FOLDER.cleanup()


class Views(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.session = airlock_client.start(RECORDING, program=PROGRAM)
        events, at = [], 0
        while True:
            page = cls.session.events_list(from_=at, maximum=10000)
            events += page.events
            if not page.more:
                break
            at = page.events[-1].at + 1
        cls.events = events
        cls.end = events[-1].at
        cls.call = next(event for event in events if event.kind == "VtlCall" and "CreateProcess" in event.text)
        inside = cls.session.focus(at=cls.call.at + 1).stop
        for _ in range(2000):  # somewhere in a service, with a few callers
            if len([frame for frame in cls.session.stack().frames if frame.vtl == 1]) > 4:
                break
            inside = cls.session.step("into", count=50).stop
        cls.inside = inside.focus

    @classmethod
    def tearDownClass(cls):
        cls.session.close()

    def register(self, name, focus):
        return next(one.value for one in self.session.registers(focus=focus).registers if one.name == name)

    def test_a_trail_crosses_a_vtl_call_and_leads_step_by_step_along_the_run(self):
        before = self.session.call("status", {})["focus"]
        trail = self.session.trail(40, 40, focus=Focus(at=self.call.at, vp=0, vtl=0))
        self.assertEqual((len(trail.past), len(trail.future)), (40, 40))
        self.assertEqual([step.at for step in trail.past + trail.future], list(range(self.call.at - 40, self.call.at + 40)))
        self.assertEqual([step.vtl for step in trail.future], [0] + [1] * 39)
        for step in (trail.past[0], trail.past[39], trail.future[0], trail.future[1], trail.future[39]):
            focus = Focus(at=step.at, vp=0, vtl=step.vtl)
            self.assertEqual(self.register("rip", focus), step.address, step)
        self.assertEqual(self.session.call("status", {})["focus"], before)  # nothing moved
        last = self.session.trail(8, 8, focus=Focus(at=self.end, vp=0, vtl=0))
        self.assertEqual(len(last.past), 8)
        self.assertLess(len(last.future), 8)

    def test_words_of_the_stack_say_which_of_them_frames_go_on_at(self):
        frames = [frame for frame in self.session.stack(focus=self.inside).frames if frame.vtl == 1]
        words = self.session.telescope(focus=self.inside, count=256).words
        self.assertEqual(words[0].address, self.register("rsp", self.inside))
        marked = {word.address: word for word in words if word.returns}
        calls = [frame for frame in frames[1:] if frame.entered == "call" and frame.sp - 8 <= words[-1].address]
        self.assertGreater(len(calls), 2)
        for frame in calls:
            self.assertIn(frame.sp - 8, marked)
            self.assertEqual(marked[frame.sp - 8].value, frame.pc.address)
            self.assertEqual(marked[frame.sp - 8].chain, [frame.pc.text])
        third = Focus(at=self.inside.at, vp=0, vtl=1, frame=2)
        self.assertEqual(self.session.telescope(focus=third, count=1).words[0].address, frames[2].sp)

    def test_a_chain_says_denied_and_unmapped_and_shows_text(self):
        end = Focus(at=self.end, vp=0, vtl=0)
        secure = next(one for one in self.session.modules(focus=end).modules if one.name == "securekernel" and one.vtl == 1)
        unmapped = self.session.telescope(address=secure.base, count=1, focus=end).words[0]
        self.assertIsNone(unmapped.value)
        self.assertEqual(unmapped.chain, ["--"])
        stolen = next(event for event in self.events if event.kind == "Intercept")
        denied = self.session.telescope(address=stolen.a & ~7, count=1, focus=Focus(at=stolen.at, vp=0, vtl=0)).words[0]
        self.assertIsNone(denied.value)
        self.assertEqual(denied.chain, ["??"])
        self.assertEqual(self.session.about(stolen.a, focus=Focus(at=stolen.at, vp=0, vtl=0)).state, "denied")
        as_vtl1 = Focus(at=self.end, vp=0, vtl=1)
        found = self.session.memory_search("gva", secure.base, secure.size, b"securekernel: ", maximum=1, focus=as_vtl1).found
        self.assertEqual(len(found), 1)
        pointer = self.session.memory_search("gva", secure.base, secure.size, found[0].to_bytes(8, "little"), maximum=1, focus=as_vtl1).found
        for place in pointer:
            word = self.session.telescope(address=place, count=1, focus=as_vtl1).words[0]
            self.assertTrue(word.chain[-1].startswith('"securekernel: '), word)

    def test_instructions_before_an_address_are_those_that_were_executed(self):
        """What a trail went through straight on is found when one looks back from its end, also from a function's first."""
        lengths = 0
        for at in [*range(self.call.at - 5000, self.call.at, 97), self.inside.at]:
            vtl = 0 if at < self.call.at else 1
            focus = Focus(at=at, vp=0, vtl=vtl)
            past = self.session.trail(24, 0, focus=focus).past
            lines = self.session.disassemble(1, before=40, focus=focus).lines
            shown = [line.place.address for line in lines]
            for first, second in zip(lines, lines[1:]):
                self.assertEqual(first.place.address + max(len(first.bytes), 1), second.place.address)
            self.assertTrue(lines[-1].current)
            for step in past:
                if step.vtl == vtl and shown[0] <= step.address < shown[-1]:
                    self.assertIn(step.address, shown, hex(step.address))
                    lengths += 1
        self.assertGreater(lengths, 50)
        entry = self.session.symbols_find("securekernel!sk::SkmmAllocatePages", focus=self.inside).symbols[0].place.address
        self.assertEqual(len(self.session.disassemble(1, address=entry, before=10, focus=self.inside).lines), 11)

    def test_locals_are_those_of_the_frame(self):
        frames = self.session.stack(focus=self.inside).frames
        named, known = 0, 0
        for index, frame in enumerate(frames[:8]):
            answer = self.session.variables(focus=Focus(at=self.inside.at, vp=0, vtl=1, frame=index))
            for variable in answer.variables:
                named += 1
                self.assertTrue(variable.name and variable.type)
                if variable.value not in ("", "??", "--"):
                    known += 1
                    self.assertTrue(variable.where)
                if variable.address is not None:
                    self.assertIn(hex(variable.address), variable.where)
            if not answer.variables:
                self.assertTrue(answer.complaint)
        self.assertGreater(named, 4)
        self.assertGreater(known, 1)
        waiting = self.session.variables(focus=Focus(at=self.inside.at, vp=0, vtl=0))
        self.assertTrue(waiting.complaint)  # the registers are VTL 1's
        with self.assertRaises(airlock_client.AirlockError) as raised:
            self.session.variables(focus=Focus(at=self.inside.at, vp=0, vtl=1, frame=4000))
        self.assertEqual(raised.exception.code, errors.NOT_THERE)

    def test_what_a_number_could_be_is_said_with_its_owner(self):
        focus = self.inside
        rip, rsp, cr3 = (self.register(name, focus) for name in ("rip", "rsp", "cr3"))
        code = self.session.about(rip, focus=focus)
        self.assertTrue(code.owner.startswith("image securekernel.exe"), code)
        self.assertEqual((code.place.module, code.state), ("securekernel", "readable"))
        self.assertEqual([one.read for one in code.rights], [False, True])
        stack = self.session.about(rsp, focus=focus)
        self.assertIn("kernel stack of secure thread", stack.owner)
        self.assertIn("VTL 0: -", stack.lines)
        table = self.session.about(cr3 & ~0xFFF, space="gpa", focus=focus)
        self.assertTrue(table.owner.startswith("PML4 table of "), table)
        as_vtl0 = self.session.about(cr3 & ~0xFFF, space="gpa", focus=Focus(at=focus.at, vp=0, vtl=0))
        self.assertEqual((as_vtl0.state, as_vtl0.value), ("denied", None))
        for process in self.session.processes(focus=focus).processes:
            if process.object and process.vtl == 1:
                self.assertIn(f"SKPROCESS of {process.name}", self.session.about(process.object, focus=focus).owner)
        nothing = self.session.about(5, focus=focus)
        self.assertEqual((nothing.state, nothing.owner), ("unmapped", None))
        tables = self.session.walk(rip, "execute", focus=focus).references
        self.assertIn("hypervisor", self.session.about(tables[0].spa, space="spa", focus=focus).owner)

    def test_the_history_of_a_page_ends_with_what_it_may_do_now(self):
        end = Focus(at=self.end, vp=0, vtl=0)
        changed = [event for event in self.events if event.kind == "ProtectionChange"]
        words = {(True, True): "r w", (True, False): "r", (False, False): ""}
        for event in changed[:3] + changed[len(changed) // 2 :: 40]:
            changes = self.session.slat_history(event.a, focus=end).changes
            self.assertTrue(changes)
            now = self.session.slat_page(event.a, focus=end).rights[0]
            execute = " ".join(word for word, may in (("kx", now.kernel_execute), ("ux", now.user_execute)) if may)
            self.assertEqual(changes[0].after, " ".join(filter(None, (words[now.read, now.write], execute))) or "-")
            for newer, older in zip(changes, changes[1:]):
                self.assertEqual(newer.before, older.after)
                self.assertGreater(newer.at, older.at)
            self.assertEqual({(change.by_vtl, change.vtl) for change in changes}, {(1, 0)})
            earlier = self.session.slat_history(event.a, focus=Focus(at=changes[-1].at, vp=0, vtl=0))
            self.assertEqual((earlier.changes, earlier.more), ([], False))
            first = self.session.slat_history(event.a, focus=end, maximum=1)
            self.assertEqual((first.changes, first.more), (changes[:1], len(changes) > 1))


if __name__ == "__main__":
    unittest.main()
