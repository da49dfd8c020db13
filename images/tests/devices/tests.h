#pragma once
#include "tests/kernel/kernel.h"

std::span<const kernel::Test> apic_tests();
std::span<const kernel::Test> port_tests();
