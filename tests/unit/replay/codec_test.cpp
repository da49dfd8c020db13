// The payloads of chunks, one by one.
#include "sample_recording.h"
#include "sim/container/varint.h"
#include "sim/replay/disk_files.h"
#include "sim/trace/event_names.h"

using namespace replay;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("Numbers of every length come back, and one that is too long is refused") {
  std::vector<uint8_t> bytes;
  std::vector<uint64_t> values{0, 1, 127, 128, 16383, 16384, ~uint64_t{0}, uint64_t{1} << 63};
  for (const uint64_t value : values) {
    container::put_varint(bytes, value);
    container::put_signed_varint(bytes, value);
    container::put_signed_varint(bytes, 0 - value);
  }
  container::ByteReader in{bytes};
  for (const uint64_t value : values) {
    EXPECT(in.varint() == value);
    EXPECT(in.signed_varint() == value);
    EXPECT(in.signed_varint() == 0 - value);
  }
  EXPECT((in.at_end() && !in.failed()));
  static_cast<void>(in.byte());
  EXPECT(in.failed());

  const std::vector<uint8_t> endless(11, 0xff);
  container::ByteReader too_long{endless};
  static_cast<void>(too_long.varint());
  EXPECT(too_long.failed());
}

TEST_CASE("Events in columns come back as they were") {
  support::Prng random{3};
  EventEncoder encoder;
  std::vector<trace::EventRecord> events;
  for (uint64_t i = 0; i < 3000; ++i) {
    events.push_back(test::sample_event(random, 100 + 7 * i));
    encoder.add(events.back().view());
  }
  EXPECT(encoder.count() == 3000);
  EXPECT(encoder.first_tick() == 100);
  EXPECT(encoder.last_tick() == 100 + 7 * 2999);
  const std::vector<uint8_t> payload = encoder.finish();
  EXPECT(encoder.count() == 0);
  auto decoder = EventDecoder::open(payload, 3000);
  REQUIRE(decoder.ok());
  for (const trace::EventRecord& event : events) {
    const auto next = decoder.value().next();
    REQUIRE(next.ok());
    REQUIRE(test::equal(next.value(), event));
  }
  EXPECT(decoder.value().exhausted());
}

TEST_CASE("An event's text is cut at its limit") {
  EventEncoder encoder;
  const std::string text(maximum_text + 100, 'x');
  encoder.add({.at = {7}, .kind = support::EventKind::DebugPrint, .text = text});
  const std::vector<uint8_t> payload = encoder.finish();
  const auto record = EventDecoder::open(payload, 1).value().next();
  REQUIRE(record.ok());
  EXPECT(record.value().text == text.substr(0, maximum_text));
}

TEST_CASE("Columns that claim another number of events are refused") {
  EventEncoder encoder;
  encoder.add({.at = {7}, .kind = support::EventKind::PowerOff});
  std::vector<uint8_t> payload = encoder.finish();
  CHECK_THAT(EventDecoder::open(payload, 2).error().message, ContainsSubstring("claims 2 events"));
  payload.push_back(0);
  CHECK_THAT(EventDecoder::open(payload, 1).error().message, ContainsSubstring("do not fill"));
  payload.resize(3);
  CHECK_FALSE(EventDecoder::open(payload, 1).ok());
}

TEST_CASE("Points and inputs come back, and malformed ones are refused") {
  support::Prng random{4};
  std::vector<Point> points;
  for (uint64_t i = 0; i < 50; ++i) points.push_back(test::sample_point(random, 1000 * i));
  std::vector<uint8_t> payload = encode(points);
  EXPECT(decode_points(payload, 50).value() == points);
  CHECK_FALSE(decode_points(payload, 51).ok());
  CHECK_THAT(decode_points(payload, 49).error().message, ContainsSubstring("bytes follow the last hash"));

  const std::vector<Input> inputs{{{5}, InputKind::ConsoleBytes, 0x3f8, {'x'}},
                                  {{5}, InputKind::Interrupt, 0, {0, 0x51}},
                                  {{9}, InputKind::MemoryPoke, 0x1000, {1, 2, 3}},
                                  {{1000}, InputKind::RegisterPoke, 0, std::vector<uint8_t>(13, 1)}};
  payload = encode(inputs);
  EXPECT(decode_inputs(payload, 4).value() == inputs);
  CHECK_FALSE(decode_inputs(payload, 5).ok());
  std::vector<Input> wrong = inputs;
  wrong[1].bytes.push_back(0);
  CHECK_THAT(decode_inputs(encode(wrong), 4).error().message, ContainsSubstring("input 1 of the chunk is malformed"));
}

TEST_CASE("META holds the whole configuration and no path") {
  loader::MachineConfig config;
  config.memory_bytes = uint64_t{96} << 20;
  config.seed = 77;
  config.gear = loader::GearSetting::Exact;
  config.disk = "/somewhere/disk.img";
  config.firmware = "/somewhere/firmware.efi";
  config.secure_boot = false;
  config.test_signing = true;
  config.hvci = loader::HvciSetting::Strict;
  config.instruction_limit = 12345;
  Facts facts = facts_of(config, test::sample_parts());
  facts.program = "9.9";
  facts.files.push_back({"/EFI/boot.efi", {{1, 2, 3}, 4}});
  const std::string text = to_meta(facts);
  EXPECT(text.find("somewhere") == std::string::npos);
  const auto parsed = parse_meta({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  INFO((parsed ? std::string{} : parsed.error().message));
  REQUIRE(parsed.ok());
  config.disk.clear();
  config.firmware.clear();
  EXPECT(parsed.value().config == config);
  EXPECT(parsed.value().firmware == facts.firmware);
  EXPECT(parsed.value().disk == facts.disk);
  EXPECT(parsed.value().files == facts.files);
  EXPECT(parsed.value().engine == facts.engine);
  EXPECT(to_meta(parsed.value()) == text);
}

TEST_CASE("META that is malformed or names a file is refused with the reason") {
  const std::string good = to_meta(facts_of({}, test::sample_parts()));
  const auto refusal = [](const std::string& text) {
    const auto parsed = parse_meta({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    return parsed ? std::string{"(accepted)"} : parsed.error().message;
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    REQUIRE(text.find(from) != std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT(refusal(good) == "(accepted)");
  CHECK_THAT(refusal(good + "x"), ContainsSubstring("malformed line"));
  CHECK_THAT(refusal(good + "engine\tqemu\n"), ContainsSubstring("\"engine\" is there twice"));
  CHECK_THAT(refusal(changed("semantics\t", "semantic\t")), ContainsSubstring("\"semantics\" is missing"));
  CHECK_THAT(refusal(changed("seed = 1", "seed = -1")), ContainsSubstring("seed"));
  CHECK_THAT(refusal(changed("hvci = \"on\"", "hvci = \"on\", disk = \"/etc/passwd\"")), ContainsSubstring("names a file"));
  CHECK_THAT(refusal(changed("firmware\t", "firmware\tzz")), ContainsSubstring("no SHA-256"));
}

TEST_CASE("A recording of another machine, engine or image is refused with the reason") {
  const machine::MachineParts parts = test::sample_parts();
  const Facts facts = facts_of({}, parts);
  EXPECT(mismatch(facts).empty());
  EXPECT(mismatch(facts, parts).empty());
  Facts other = facts;
  ++other.semantics;
  CHECK_THAT(mismatch(other), ContainsSubstring("semantics version"));
  other = facts;
  other.engine = "bochs 3.0";
  CHECK_THAT(mismatch(other), ContainsSubstring("bochs 3.0"));
  machine::MachineParts changed = test::sample_parts();
  changed.firmware[1] ^= 1;
  CHECK_THAT(mismatch(facts, changed), ContainsSubstring("the firmware is not the one"));
  changed = test::sample_parts();
  changed.disk = machine::DiskImage{std::vector<uint8_t>(512, 1)};
  CHECK_THAT(mismatch(facts, changed), ContainsSubstring("the disk is not the one"));
  changed.disk.reset();
  CHECK_THAT(mismatch(facts, changed), ContainsSubstring("there is none"));
}

TEST_CASE("The files of a FAT16 disk are listed with their long names, and a disk that lies gives nothing or less") {
  const auto put = [](std::vector<uint8_t>& to, size_t at, std::initializer_list<int> bytes) {
    for (const int byte : bytes) to[at++] = static_cast<uint8_t>(byte);
  };
  const auto put_text = [](std::vector<uint8_t>& to, size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), to.begin() + static_cast<ptrdiff_t>(at));
  };
  // Boot sector, one FAT, the root folder, and three clusters of one sector each.
  std::vector<uint8_t> disk(6 * 512, 0);
  put(disk, 11, {0, 2, 1, 1, 0, 1, 16, 0, 6, 0, 0xf8, 1, 0});
  put(disk, 512, {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 0xff, 0xff});
  const size_t root = 1024, folder = 1536;
  put_text(disk, root, "EFI        ");
  put(disk, root + 11, {0x10});
  put(disk, root + 26, {2, 0});
  put(disk, root + 32, {0x41, 'a', 0, '.', 0, 'l', 0, 'o', 0, 'n', 0, 0x0f, 0, 0, 'g', 0, 0, 0});
  put_text(disk, root + 64, "A~1     LON");
  put(disk, root + 64 + 11, {0x20});
  put(disk, root + 64 + 26, {3, 0, 0x58, 2});  // 600 bytes in two clusters
  put_text(disk, folder, "BOOT    EFI");
  put(disk, folder + 11, {0x20, 0x18});
  put(disk, folder + 26, {4, 0, 3, 0});
  put_text(disk, 2048, "contents");
  const std::vector<FileFacts> files = files_on(disk);
  REQUIRE(files.size() == 2);
  EXPECT(files[0].path == "/EFI/boot.efi");
  EXPECT(files[0].image.size == 3);
  EXPECT(files[1].path == "/a.long");
  EXPECT(files[1].image == ImageFacts{loader::sha256({loader::Bytes{disk}.subspan(2048, 600)}), 600});

  put(disk, 512 + 2 * 2, {2, 0});  // the folder is its own next cluster
  put(disk, folder + 11, {0x10});
  put(disk, folder + 26, {2, 0});  // and holds itself
  EXPECT(files_on(disk).size() <= 4096);
  disk[13] = 0;
  EXPECT(files_on(disk).empty());
}

TEST_CASE("The stretch before a keyframe comes back, page for page, and a malformed one is refused") {
  support::Prng random{7};
  Span span{{100}, {9000}, 17, 4000, {}};
  for (uint32_t page = 0; page < 3000; page += static_cast<uint32_t>(1 + random.below(5) / 3 * random.below(200)))
    span.dirty.push_back(page);
  const std::vector<uint8_t> bytes = encode(span);
  EXPECT(bytes.size() < span.dirty.size());
  const auto back = decode_span(bytes, span.begin, span.at);
  REQUIRE(back.ok());
  EXPECT(back.value() == span);
  EXPECT(!decode_span(bytes, {9001}, span.at).ok());   // begins after its end
  EXPECT(!decode_span(bytes, {100}, {3999}).ok());     // more instructions than time
  for (size_t size = 0; size + 1 < bytes.size(); ++size)
    if (const auto cut = decode_span({bytes.data(), size}, span.begin, span.at); cut.ok())
      EXPECT(cut.value().dirty.size() < span.dirty.size());
  std::vector<uint8_t> endless = encode(Span{{}, {9}, 0, 0, {}});
  container::put_varint(endless, 0);
  container::put_varint(endless, uint64_t{1} << 40);
  EXPECT(!decode_span(endless, {}, {9}).ok());
}

TEST_CASE("Differences are laid over the whole state before them, and pages of zeros are none") {
  const auto part = [](std::vector<uint64_t> pages, std::vector<uint8_t> fill) {
    machine::State state;
    state.pages = std::move(pages);
    for (const uint8_t byte : fill) state.contents.insert(state.contents.end(), 4096, byte);
    state.fields = fill;
    return state;
  };
  const auto state = put_together({part({1, 5, 9}, {1, 2, 3}), part({5, 7}, {4, 5}), part({1, 7}, {0, 6})});
  REQUIRE(state.ok());
  EXPECT(state.value().pages == std::vector<uint64_t>{5, 7, 9});
  EXPECT(state.value().contents[0] == 4);
  EXPECT(state.value().contents[4096] == 6);
  EXPECT(state.value().contents[8192] == 3);
  EXPECT(state.value().fields == std::vector<uint8_t>{0, 6});
  EXPECT(!put_together({part({5, 1}, {1, 2})}).ok());
  machine::State other = part({1}, {1});
  other.semantics = 99;
  EXPECT(!put_together({part({1}, {1}), other}).ok());
  machine::State short_one = part({1}, {1});
  short_one.contents.pop_back();
  EXPECT(!put_together({short_one}).ok());
}
