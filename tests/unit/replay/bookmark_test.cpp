// Bookmarks in a file: added, changed and removed while others read it, write it, or the host fails.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

#include "sample_recording.h"
#include "tests/support/catch.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;

namespace {

using Bytes = std::vector<uint8_t>;
using Kind = BookmarkEdit::Kind;

/// A file that goes with the test.
struct File {
  explicit File(std::string name, const Bytes& bytes) : path{std::move(name)} {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
    std::fclose(file);
  }
  ~File() { std::remove(path.c_str()); }
  [[nodiscard]] Bytes bytes() const { return loader::read_file(path).value(); }
  const std::string path;
};

SavedBookmark save(const std::string& path, const BookmarkEdit& edit) {
  auto saved = save_bookmark(path, edit);
  INFO((saved ? std::string{} : saved.error().message));
  REQUIRE(saved.ok());
  return std::move(saved.value());
}

std::string why_not(const std::string& path, const BookmarkEdit& edit, const Recording* expected = nullptr) {
  const auto saved = save_bookmark(path, edit, expected);
  return saved ? "" : saved.error().message;
}

/// "1 one, 3 three".
std::string text_of(const std::vector<Bookmark>& bookmarks) {
  std::string text;
  for (const Bookmark& each : bookmarks) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", each.id, each.text);
  return text;
}

std::string in_file(const std::string& path) {
  const auto recording = Recording::open(path);
  REQUIRE(recording.ok());
  INFO(recording.value().ending_text());
  EXPECT(recording.value().complete());
  const auto indexed = Recording::open_indexed(path, std::filesystem::file_size(path));
  REQUIRE(indexed.ok());
  EXPECT(indexed.value().bookmarks() == recording.value().bookmarks());
  EXPECT(indexed.value().digest() == recording.value().digest());
  return text_of(recording.value().bookmarks());
}

}  // namespace

TEST_CASE("A bookmark keeps its id, whatever becomes of the others") {
  const test::Recorded recorded = test::record(31, 30);
  const File file{"ids.air", recorded.bytes};
  const support::Instant at = recorded.run.points[3].at;
  const struct {
    BookmarkEdit edit;
    uint64_t id;
    const char* expected;
  } steps[] = {{{Kind::Add, 0, at, "one"}, 1, "1 one"},
               {{Kind::Add, 0, at, "two"}, 2, "1 one, 2 two"},
               {{Kind::Add, 0, {}, "three"}, 3, "1 one, 2 two, 3 three"},
               {{Kind::Change, 2, {}, "two\nwith a note"}, 2, "1 one, 2 two\nwith a note, 3 three"},
               {{Kind::Remove, 1, {}, ""}, 1, "2 two\nwith a note, 3 three"},
               {{Kind::Remove, 3, {}, ""}, 3, "2 two\nwith a note"},
               {{Kind::Add, 0, {}, "four"}, 4, "2 two\nwith a note, 4 four"},
               {{Kind::Change, 4, {}, "vier"}, 4, "2 two\nwith a note, 4 vier"}};
  for (const auto& step : steps) {
    const SavedBookmark saved = save(file.path, step.edit);
    EXPECT(saved.id == step.id);
    EXPECT(text_of(saved.all) == step.expected);
    EXPECT(in_file(file.path) == step.expected);
  }
  EXPECT(Recording::open(file.path).value().bookmarks()[0].at == at);
  EXPECT(test::matching_events(Recording::open(file.path).value(), recorded.run.events) == recorded.run.events.size());
  // What a program that knows no changes reads: it passes over the chunk.
  EXPECT(container::may_be_skipped(kind_mark_changes));
}

TEST_CASE("What cannot be saved is refused with its reason and leaves the file as it was") {
  const test::Recorded recorded = test::record(32, 30);
  const File file{"refused.air", recorded.bytes};
  (void)save(file.path, {Kind::Add, 0, {}, "one"});
  (void)save(file.path, {Kind::Remove, 1, {}, ""});
  const Bytes before = file.bytes();
  const struct {
    BookmarkEdit edit;
    const char* why;
  } cases[] = {{{Kind::Add, 0, {}, ""}, "1 to 4096 bytes"},
               {{Kind::Add, 0, {}, std::string(4097, 'x')}, "1 to 4096 bytes"},
               {{Kind::Add, 0, recorded.run.points.back().at + 1, "late"}, "before the bookmark"},
               {{Kind::Change, 1, {}, "removed before"}, "has no bookmark 1"},
               {{Kind::Change, 0, {}, "x"}, "has no bookmark 0"},
               {{Kind::Remove, ~uint64_t{0}, {}, ""}, "has no bookmark 18446744073709551615"}};
  for (const auto& each : cases) CHECK_THAT(why_not(file.path, each.edit), ContainsSubstring(each.why));
  CHECK_THAT(why_not("no-such.air", {Kind::Add, 0, {}, "x"}), ContainsSubstring("cannot open no-such.air"));
  const Recording other = std::move(Recording::over(container::over(test::record(33, 30).bytes)).value());
  CHECK_THAT(why_not(file.path, {Kind::Add, 0, {}, "x"}, &other), ContainsSubstring("no longer the recording"));
  EXPECT(file.bytes() == before);
}

TEST_CASE("A file that was cut anywhere in an appended bookmark has all it had before, and takes the next one") {
  const test::Recorded recorded = test::record(34, 6);
  File file{"crash.air", recorded.bytes};
  (void)save(file.path, {Kind::Add, 0, {}, "one"});
  const Bytes before = file.bytes();
  (void)save(file.path, {Kind::Change, 1, {}, "uno"});
  const Bytes after = file.bytes();
  REQUIRE(after.size() > before.size() + 64);
  for (size_t size = before.size(); size <= after.size(); ++size) {
    INFO("cut to " << size << " of " << after.size());
    File cut{"cut.air", Bytes(after.begin(), after.begin() + static_cast<ptrdiff_t>(size))};
    const auto recording = Recording::open(cut.path);
    REQUIRE(recording.ok());
    REQUIRE(recording.value().foot().has_value());
    REQUIRE(recording.value().points() == recorded.run.points);
    const std::string found = text_of(recording.value().bookmarks());
    REQUIRE((found == "1 one" || found == "1 uno"));
    const bool whole = size == before.size() || size == after.size();
    REQUIRE(recording.value().complete() == whole);
    if (!whole) REQUIRE(recording.value().ending_text().ends_with("the run before it is whole, bookmarks made later are lost"));
    REQUIRE(save(cut.path, {Kind::Add, 0, {}, "next"}).id == 2);
    REQUIRE(in_file(cut.path) == found + ", 2 next");
  }
}

TEST_CASE("A bookmark does not cut off what lies behind damage") {
  const test::Recorded recorded = test::record(35, 6);
  const File file{"damaged.air", recorded.bytes};
  (void)save(file.path, {Kind::Add, 0, {}, "one"});
  (void)save(file.path, {Kind::Add, 0, {}, "two"});
  Bytes bytes = file.bytes();
  bytes[recorded.bytes.size() + 70] ^= 1;  // in the first bookmark's payload
  bytes.resize(bytes.size() - 8);          // so that the end does not lead past it
  const File damaged{"damaged2.air", bytes};
  CHECK_THAT(why_not(damaged.path, {Kind::Add, 0, {}, "three"}), ContainsSubstring("nothing is written over that"));
  EXPECT(damaged.bytes() == bytes);
}

TEST_CASE("Who reads a recording goes on while bookmarks are appended") {
  const test::Recorded recorded = test::record(36, 400);
  const File file{"read.air", recorded.bytes};
  const Recording reading = std::move(Recording::open(file.path).value());
  EventCursor cursor = reading.events_from({});
  size_t count = 0;
  for (auto next = cursor.next(); next.ok() && next.value(); next = cursor.next(), ++count) {
    REQUIRE(test::equal(*next.value(), recorded.run.events[count]));
    if (count % 1000 == 0) (void)save(file.path, {Kind::Add, 0, {}, fmt::format("at event {}", count)});
  }
  EXPECT(count == recorded.run.events.size());
  EXPECT(Recording::open(file.path).value().bookmarks().size() == (count + 999) / 1000);
}

TEST_CASE("Programs that append at the same time take turns") {
  constexpr int programs = 3, each = 15;
  const test::Recorded recorded = test::record(37, 30);
  const File file{"turns.air", recorded.bytes};
  for (int program = 0; program < programs; ++program) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child != 0) continue;
    bool good = true;
    for (int i = 0; i < each; ++i) good &= save_bookmark(file.path, {Kind::Add, 0, {}, fmt::format("{}/{}", program, i)}).ok();
    ::_exit(good ? 0 : 1);
  }
  for (int program = 0; program < programs; ++program) {
    int status = -1;
    REQUIRE(::wait(&status) > 0);
    EXPECT(status == 0);
  }
  (void)in_file(file.path);
  const Recording recording = std::move(Recording::open(file.path).value());
  std::set<std::string> texts;
  for (const Bookmark& bookmark : recording.bookmarks()) texts.insert(bookmark.text);
  EXPECT(texts.size() == programs * each);
}

TEST_CASE("A file that another program holds for long takes no bookmark") {
  const test::Recorded recorded = test::record(38, 6);
  const File file{"held.air", recorded.bytes};
  const int descriptor = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(descriptor, LOCK_EX) == 0);
  CHECK_THAT(why_not(file.path, {Kind::Add, 0, {}, "x"}), ContainsSubstring("another program is writing"));
  EXPECT(file.bytes() == recorded.bytes);
  ::close(descriptor);
  EXPECT(save(file.path, {Kind::Add, 0, {}, "x"}).id == 1);
}

TEST_CASE("A disk that fills up in the middle of a bookmark leaves the file as it was") {
  const test::Recorded recorded = test::record(39, 6);
  const File file{"full.air", recorded.bytes};
  struct rlimit before {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const size_t room : {0u, 1u, 64u, 100u, 150u, 200u, 260u, 300u}) {
    struct rlimit small = before;
    small.rlim_cur = recorded.bytes.size() + room;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string why = why_not(file.path, {Kind::Add, 0, {}, "one"});
    setrlimit(RLIMIT_FSIZE, &before);
    INFO("room for " << room);
    CHECK_THAT(why, ContainsSubstring("cannot write full.air: File too large"));
    EXPECT(file.bytes() == recorded.bytes);
  }
  std::signal(SIGXFSZ, old_handler);
}

TEST_CASE("A file that cannot be written takes no bookmark and can still be read") {
  const test::Recorded recorded = test::record(40, 6);
  const int memory = ::memfd_create("sealed.air", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(memory >= 0);
  REQUIRE(::write(memory, recorded.bytes.data(), recorded.bytes.size()) == static_cast<ssize_t>(recorded.bytes.size()));
  REQUIRE(::fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0);  // root is not stopped by modes
  const std::string path = fmt::format("/proc/self/fd/{}", memory);
  CHECK_THAT(why_not(path, {Kind::Add, 0, {}, "one"}), ContainsSubstring("Operation not permitted"));
  EXPECT(Recording::open(path).value().complete());
  ::close(memory);
}
