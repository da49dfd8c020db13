#pragma once
// The order in which the system comes up.

/// The first system thread: everything that needs threads (init/phase1.cpp).
void Phase1Initialization(void* context);

/// What a session manager would start: trustlets or their ordinary counterparts, then the drivers
/// (init/session.cpp).
void SmRunSession();
