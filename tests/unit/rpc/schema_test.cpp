// The table itself.
#include <set>

#include "sim/rpc/types.h"
#include "tests/support/catch.h"

namespace {

const std::set<std::string_view> plain{"boolean", "text", "integer", "signed", "hex", "bytes"};

bool is_words(std::string_view type) {
  if (type.find('|') == std::string_view::npos) return false;
  for (const char c : type)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '|')) return false;
  return !type.starts_with('|') && !type.ends_with('|') && type.find("||") == std::string_view::npos;
}

void check_fields(std::string_view owner, std::span<const rpc::Field> fields) {
  std::set<std::string_view> names;
  for (const rpc::Field& field : fields) {
    INFO(owner << "." << field.name << ": " << field.type << ": " << field.text);
    EXPECT(!field.name.empty());
    EXPECT(names.insert(field.name).second);
    const rpc::Type type = rpc::parse_type(field.type);
    EXPECT((plain.contains(type.element) || is_words(type.element) || rpc::find_record(type.element) != nullptr));
    EXPECT((!field.text.ends_with('.') || field.text.ends_with("...")));  // they are set into sentences
    EXPECT(!field.text.ends_with(' '));
  }
}

}  // namespace

TEST_CASE("every type that the table names exists, and no name is used twice", "[rpc]") {
  std::set<std::string_view> names;
  for (const rpc::Record& record : rpc::records()) {
    EXPECT(names.insert(record.name).second);
    check_fields(record.name, record.fields);
    EXPECT(!record.fields.empty());
  }
  for (const rpc::Method& method : rpc::methods()) {
    EXPECT(names.insert(method.name).second);
    check_fields(method.name, method.parameters);
    check_fields(method.name, method.results);
  }
}

TEST_CASE("every text of a method is a sentence, and of a record is none", "[rpc]") {
  for (const rpc::Method& method : rpc::methods()) {
    INFO(method.name << ": " << method.text);
    EXPECT((method.text.empty() || method.text.ends_with('.')));
  }
  for (const rpc::Record& record : rpc::records()) {
    INFO(record.name << ": " << record.text);
    EXPECT(!record.text.ends_with('.'));
  }
}

TEST_CASE("names in the table are found, and others are not", "[rpc]") {
  EXPECT(rpc::find_method("memory.read") != nullptr);
  EXPECT(rpc::find_record("Stop") != nullptr);
  EXPECT(rpc::find_method("Stop") == nullptr);
  EXPECT(rpc::find_record("") == nullptr);
}

TEST_CASE("only dump writes files of the host", "[rpc]") {
  for (const rpc::Method& method : rpc::methods()) EXPECT((method.effect == rpc::Effect::Writes) == (method.name == "dump"));
}
