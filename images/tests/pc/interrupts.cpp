// Interrupts of the board: 8254, 8259s, I/O APIC, RTC, serial port, and the local APIC's timer in each mode.
#include "pc.h"

using namespace pc;

namespace {

volatile uint32_t count, last_vector;

void count_pic(Frame& frame) {
  count = count + 1;
  last_vector = static_cast<uint32_t>(frame.vector);
  if (frame.vector >= 0x28) out8(0xa0, 0x20);
  out8(0x20, 0x20);
}
void count_apic(Frame& frame) {
  count = count + 1;
  last_vector = static_cast<uint32_t>(frame.vector);
  end_of_interrupt();
}
/// Takes its line down before it ends, as a driver does.
void count_level(Frame& frame) {
  count = count + 1;
  last_vector = static_cast<uint32_t>(frame.vector);
  if (count == 3) out8(0x2000 + 19, 0);
  end_of_interrupt();
}

bool wait_for(uint32_t number) {
  while (count < number) wait_for_interrupt();
  return count == number;
}
void open_briefly() {
  sti();
  asm volatile("nop; nop");
  cli();
}

void set_pit(unsigned mode, uint16_t value) {
  out8(0x43, static_cast<uint8_t>(0x30 | mode << 1));
  out8(0x40, static_cast<uint8_t>(value));
  out8(0x40, static_cast<uint8_t>(value >> 8));
}

void pit_through_pic() {
  handle(0x20, count_pic);
  set_pit(2, 1193);
  mask_pic(0xfffe);
  count = 0;
  wait_for_interrupt();  // the edge of before
  count = 0;
  const uint64_t begin = rdtsc();
  check(wait_for(10) && last_vector == 0x20, "the 8254 interrupts through the 8259, vector 0x20");
  const uint64_t ticks = rdtsc() - begin;
  check(ticks > 19'000'000 && ticks < 21'000'000, "ten periods of 1193 counts take ten milliseconds");
  set_pit(0, 1000);
  count = 0;
  wait_for_interrupt();
  open_briefly();
  check(count == 1, "mode 0 interrupts once");
  mask_pic(0xffff);
  set_pit(0, 100);
  check(wait_until([] { return (in8(0x20) & 1) != 0; }), "a masked request waits in IRR");
  mask_pic(0xfffe);
  count = 0;
  open_briefly();
  check(count == 1, "and comes when its mask opens");
  mask_pic(0xffff);
}

void rtc_through_both_pics() {
  handle(0x28, count_pic);
  out8(0x70, 10);
  out8(0x71, 0x26);
  out8(0x70, 11);
  out8(0x71, 0x42);
  mask_pic(0xfefb);
  out8(0x70, 12);
  (void)in8(0x71);
  count = 0;
  bool periodic = true;
  for (uint32_t i = 1; i <= 8; ++i) {
    while (count < i) wait_for_interrupt();
    out8(0x70, 12);
    periodic = periodic && (in8(0x71) & 0xc0) == 0xc0;
  }
  check(periodic, "the clock says that it asked, and that it was its period");
  check(count == 8 && last_vector == 0x28, "the clock interrupts through both 8259s");
  out8(0x70, 11);
  out8(0x71, 0x02);
  mask_pic(0xffff);
}

void serial_loops_back() {
  handle(0x24, count_pic);
  out8(0x3fc, 0x08);
  mask_pic(0xffef);
  count = 0;
  out8(0x3f9, 0x02);
  open_briefly();
  check(count == 1 && (in8(0x3fa) & 0x0f) == 0x02, "the empty transmitter interrupts");
  out8(0x3f9, 0);
  mask_pic(0xffff);
}

void lines_through_io_apic() {
  check((io_apic_read(1) >> 16 & 0xff) == 23, "the I/O APIC has 24 pins");
  handle(0x41, count_apic);
  handle(0x42, count_level);
  const uint64_t self = uint64_t{apic_id()} << 56;
  redirect(2, self | 0x41);
  count = 0;
  set_pit(2, 1193);
  check(wait_for(5) && last_vector == 0x41, "the 8254 interrupts through pin 2 of the I/O APIC");
  redirect(2, 0x10000);
  set_pit(0, 0xffff);

  redirect(19, self | 0x8042);
  count = 0;
  out8(0x2000 + 19, 1);
  sti();
  check(wait_until([] { return count == 3; }, 1'000'000), "a level interrupts again until its line falls");
  cli();
  check((io_apic_read(0x10 + 38) & 0x4000) == 0, "remote IRR is clear after the last EOI");
  redirect(19, self | 0x18042);
  count = 0;
  out8(0x2000 + 19, 1);
  open_briefly();
  check(count == 0, "a masked level waits");
  count = 2;
  redirect(19, self | 0x8042);
  open_briefly();
  check(count == 3, "and comes when the mask opens");
  redirect(19, 0x10000);

  handle(0x43, count_apic);
  redirect(20, self | 0x43);
  count = 0;
  out8(0x2000 + 20, 1);
  out8(0x2000 + 20, 1);
  open_briefly();
  check(count == 1, "an edge interrupts once");
  out8(0x2000 + 20, 0);
  redirect(20, 0x10000);
}

void set_timer(uint32_t mode, uint32_t initial) {
  apic_write(apic::timer_divide, 0xb);  // by 1
  apic_write(apic::lvt_timer, mode << 17 | 0x50);
  if (mode != 2) apic_write(apic::timer_initial, initial);
}

void apic_timer() {
  handle(0x50, count_apic);
  count = 0;
  set_timer(0, 100'000);
  const uint32_t first = apic_read(apic::timer_current);
  check(first > 0 && first <= 100'000, "the current count runs");
  check(wait_for(1) && last_vector == 0x50, "one-shot: the timer interrupts");
  check(apic_read(apic::timer_current) == 0, "one-shot: and stands at zero");
  const bool again = wait_until([] {
    open_briefly();
    return count > 1;
  }, 5'000'000);
  check(!again, "one-shot: once");

  count = 0;
  set_timer(1, 50'000);
  const uint64_t begin = rdtsc();
  check(wait_for(10), "periodic: it interrupts again and again");
  const uint64_t ticks = rdtsc() - begin;
  check(ticks > 4'900'000 && ticks < 5'300'000, "periodic: ten periods of 50000 counts at 200 MHz");
  apic_write(apic::timer_initial, 0);
  count = 0;
  check(!wait_until([] {
    open_briefly();
    return count > 0;
  }, 3'000'000), "an initial count of zero stops it");

  set_timer(2, 0);
  count = 0;
  const uint64_t deadline = rdtsc() + 1'000'000;
  wrmsr(0x6e0, deadline);
  check(rdmsr(0x6e0) == deadline, "TSC deadline: it reads back while armed");
  check(wait_for(1) && rdtsc() >= deadline, "TSC deadline: it interrupts, not before");
  check(rdmsr(0x6e0) == 0, "TSC deadline: and is zero afterwards");
  wrmsr(0x6e0, rdtsc() + 100'000);
  wrmsr(0x6e0, 0);
  count = 0;
  check(!wait_until([] {
    open_briefly();
    return count > 0;
  }, 1'000'000), "TSC deadline: zero disarms");
}

void self_interrupts() {
  handle(0x60, count_apic);
  handle(0x70, count_apic);
  count = 0;
  if (in_x2apic()) wrmsr(0x83f, 0x60);
  else send_ipi(0, 1u << 18 | 0x60);
  open_briefly();
  check(count == 1 && last_vector == 0x60, "an interrupt to self");
  apic_write(apic::tpr, 0x60);
  send_ipi(0, 1u << 18 | 0x60);
  open_briefly();
  check(count == 1, "the task priority holds its class back");
  send_ipi(0, 1u << 18 | 0x70);
  open_briefly();
  check(count == 2 && last_vector == 0x70, "but no higher one");
  asm volatile("mov %0, %%cr8" : : "r"(uint64_t{0}));
  open_briefly();
  check(count == 3 && last_vector == 0x60, "CR8 lets it in");
}

void everything_with_this_apic(const char* mode) {
  print("# %s\n", mode);
  lines_through_io_apic();
  apic_timer();
  self_interrupts();
}

}  // namespace

void kernel_main() {
  pit_through_pic();
  rtc_through_both_pics();
  serial_loops_back();
  apic_write(apic::lvt_lint0, 0x10000);
  everything_with_this_apic("xAPIC");
  use_x2apic();
  enable_apic();
  everything_with_this_apic("x2APIC");
}
