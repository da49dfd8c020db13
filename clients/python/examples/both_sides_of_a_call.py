"""Prints what both worlds have in their registers on both sides of the first VTL calls of a recording.

usage: both_sides_of_a_call.py RECORDING.air [PROGRAM]
"""

import sys

import airlock_client


def pointer(session: airlock_client.Client, focus: airlock_client.Focus) -> str:
    """Where a VTL's RIP points, as the debugger calls it."""
    registers = {register.name: register.value for register in session.registers(focus=focus).registers}
    return session.symbols_at(registers["rip"], focus=focus).place.text


def main() -> None:
    file, program = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "airlock"
    with airlock_client.start(file, program=program) as session:
        calls = session.calls(maximum=10).calls
        for call in calls:
            before = airlock_client.Focus(at=call.at, vp=call.vp, vtl=call.from_vtl)
            after = airlock_client.Focus(at=call.at + 1, vp=call.vp, vtl=call.to_vtl)
            print(f"{call.at:>12}  {'  ' * call.depth}{call.text}")
            print(f"{'':14}{pointer(session, before)} -> {pointer(session, after)}")


if __name__ == "__main__":
    main()
