#pragma once
// One processor at a time is in VTL 1. A processor takes the lock when it comes in and gives it back before it leaves, so
// that everything between an entry and the return, trustlets included, is as on one processor. Nothing depends on NTOS.
#include "ke/base.h"

namespace sk {

/// Waits for the lock. Translations that another processor may have changed meanwhile are dropped.
void SkiEnterKernel();
/// The caller must hold it.
void SkiLeaveKernel();

}  // namespace sk
