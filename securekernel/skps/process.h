#pragma once
// Secure processes: what NTOS's processes are in VTL 1 (7.5: services 4..10).
#include "ke/skpcr.h"
#include "skmm/secure_image.h"
#include "skob/objects.h"

namespace sk {

using ProcessReference = Reference<SkProcess, ObjectType::Process>;
using ImageReference = Reference<SecureImage, ObjectType::Image>;
using AllocationReference = Reference<SecureAllocation, ObjectType::Allocation>;

/// Service 4: the Secure System process, which has no address space of its own.
NtStatus SkpsRegisterSystemProcess(uint64_t pid, uint64_t normal_process, uint64_t& secure_pid);
/// Service 3: the DLLs that every secure process gets.
NtStatus SkpsRegisterSystemDlls(uint64_t iumdll_handle, uint64_t iumbase_handle);
/// Service 5.
NtStatus SkpsCreateProcess(uint64_t normal_process, uint64_t pid, uint64_t& secure_pid);
/// Service 6: policy, image, system DLLs, PEB. Runs on a pool thread and parks in normal calls.
NtStatus SkpsInitializeProcess(SkProcess& process, SecureImage& image, uint64_t trustlet_id);
/// Service 7.
NtStatus SkpsCreateThread(SkProcess& process, uint64_t normal_thread, uint64_t tid, SkThread*& thread);
/// Service 9.
NtStatus SkpsTerminateThread(uint32_t cookie, uint64_t& exit_status);
/// Service 10.
NtStatus SkpsRundownProcess(uint64_t secure_pid);
/// The running trustlet with this id, or null.
SkProcess* SkpsFindTrustlet(uint64_t trustlet_id);
/// Before power off: no secret of any trustlet stays in memory, and none of its pages goes back to VTL 0.
void SkpsWipeAll();

/// First instructions of a trustlet's thread: into ring 3 at the image's entry.
void SkpsStartUserThread();
/// NTOS is told and never resumes the thread (normal services 7 and 8).
[[noreturn]] void SkpsTerminateCurrentThread(NtStatus status);
[[noreturn]] void SkpsTerminateCurrentProcess(NtStatus status);

}  // namespace sk
