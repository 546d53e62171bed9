// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/yaml_document.hpp"

#include <algorithm>
#include <format>
#include <set>

#include <yaml.h>

#include "policy/text.hpp"
#include "result/printable.hpp"

namespace ckpt {
namespace {

YamlMark to_mark(const yaml_mark_t& mark) {
    return {mark.line + 1, mark.column + 1};
}

class Event {
public:
    Event() = default;
    ~Event() { yaml_event_delete(&m_event); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    Event(Event&&) = delete;
    Event& operator=(Event&&) = delete;

    [[nodiscard]] yaml_event_t* get() { return &m_event; }
    [[nodiscard]] yaml_event_type_t type() const { return m_event.type; }
    [[nodiscard]] YamlMark mark() const { return to_mark(m_event.start_mark); }
    [[nodiscard]] std::string scalar() const {
        // libyaml has the bytes as unsigned char.
        return {reinterpret_cast<const char*>(m_event.data.scalar.value), m_event.data.scalar.length};
    }
    [[nodiscard]] bool has_anchor() const {
        return (type() == YAML_SCALAR_EVENT && m_event.data.scalar.anchor != nullptr) ||
               (type() == YAML_SEQUENCE_START_EVENT && m_event.data.sequence_start.anchor != nullptr) ||
               (type() == YAML_MAPPING_START_EVENT && m_event.data.mapping_start.anchor != nullptr);
    }
    [[nodiscard]] bool has_tag() const {
        return (type() == YAML_SCALAR_EVENT && m_event.data.scalar.tag != nullptr) ||
               (type() == YAML_SEQUENCE_START_EVENT && m_event.data.sequence_start.tag != nullptr) ||
               (type() == YAML_MAPPING_START_EVENT && m_event.data.mapping_start.tag != nullptr);
    }

private:
    yaml_event_t m_event{};
};

class Reader {
public:
    Reader(std::string_view file_name, std::string_view text) : m_file_name(file_name), m_text(text) {
        m_ready = yaml_parser_initialize(&m_parser) != 0;
        if (!m_ready) return;
        // Without this a byte order mark would switch to UTF-16 and the marks would lie.
        yaml_parser_set_encoding(&m_parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&m_parser, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
    }
    ~Reader() {
        if (m_ready) yaml_parser_delete(&m_parser);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Reader(Reader&&) = delete;
    Reader& operator=(Reader&&) = delete;

    Result<YamlNode> document();

private:
    [[nodiscard]] tl::unexpected<Error> refuse(YamlMark mark, std::string_view what) const {
        return tl::unexpected(yaml_error(m_file_name, mark, Code::policy_syntax, what));
    }
    [[nodiscard]] tl::unexpected<Error> parser_error() const;
    Status next(Event& event);
    Result<YamlNode> node(const Event& event, std::size_t depth);
    Status sequence(YamlNode& into, std::size_t depth);
    Status mapping(YamlNode& into, std::size_t depth);

    std::string_view m_file_name;
    std::string_view m_text;
    yaml_parser_t m_parser{};
    bool m_ready = false;
    std::size_t m_nodes = 0;
};

tl::unexpected<Error> Reader::parser_error() const {
    const char* problem = m_parser.problem != nullptr ? m_parser.problem : "out of memory";
    if (m_parser.error != YAML_READER_ERROR)
        return refuse(to_mark(m_parser.problem_mark), std::format("{}, expected YAML", problem));
    // The reader knows the byte only.
    const std::string_view before = m_text.substr(0, m_parser.problem_offset);
    const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
    const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
    return refuse({lines + 1, before.size() - line_start + 1},
                  std::format("{}, expected UTF-8 text", problem));
}

Status Reader::next(Event& event) {
    if (yaml_parser_parse(&m_parser, event.get()) == 0) return parser_error();
    if (event.type() == YAML_ALIAS_EVENT)
        return refuse(event.mark(), "an alias (*), expected the value itself");
    if (event.has_anchor()) return refuse(event.mark(), "an anchor (&), expected a value without one");
    if (event.has_tag()) return refuse(event.mark(), "a tag (!), expected a value without one");
    return {};
}

Result<YamlNode> Reader::node(const Event& event, std::size_t depth) {
    YamlNode result;
    result.mark = event.mark();
    if (depth > k_yaml_depth_max)
        return refuse(result.mark,
                      std::format("nested too deeply, expected at most {} levels", k_yaml_depth_max));
    if (++m_nodes > k_yaml_nodes_max)
        return refuse(result.mark, std::format("too much, expected at most {} values", k_yaml_nodes_max));
    if (event.type() == YAML_SCALAR_EVENT) {
        result.text = event.scalar();
    } else if (event.type() == YAML_SEQUENCE_START_EVENT) {
        result.kind = YamlNode::Kind::sequence;
        CKPT_CHECK(sequence(result, depth));
    } else {
        result.kind = YamlNode::Kind::mapping;
        CKPT_CHECK(mapping(result, depth));
    }
    return result;
}

Status Reader::sequence(YamlNode& into, std::size_t depth) {
    for (;;) {
        Event event;
        CKPT_CHECK(next(event));
        if (event.type() == YAML_SEQUENCE_END_EVENT) return {};
        CKPT_TRY(YamlNode item, node(event, depth + 1));
        into.items.push_back(std::move(item));
    }
}

Status Reader::mapping(YamlNode& into, std::size_t depth) {
    std::set<std::string, std::less<>> seen;
    for (;;) {
        Event key;
        CKPT_CHECK(next(key));
        if (key.type() == YAML_MAPPING_END_EVENT) return {};
        if (key.type() != YAML_SCALAR_EVENT) return refuse(key.mark(), "a list or mapping, expected a key");
        std::string name = key.scalar();
        if (!seen.insert(name).second)
            return refuse(key.mark(), std::format("key {} is here twice, expected it once", quote(name)));
        into.keys.push_back({std::move(name), key.mark()});
        Event event;
        CKPT_CHECK(next(event));
        CKPT_TRY(YamlNode value, node(event, depth + 1));
        into.items.push_back(std::move(value));
    }
}

Result<YamlNode> Reader::document() {
    if (!m_ready) return fail(Code::internal, "out of memory");
    Event stream_start;
    CKPT_CHECK(next(stream_start));
    Event document_start;
    CKPT_CHECK(next(document_start));
    if (document_start.type() == YAML_STREAM_END_EVENT)
        return refuse(document_start.mark(), "an empty document, expected at least \"version: 1\"");
    Event first;
    CKPT_CHECK(next(first));
    CKPT_TRY(YamlNode root, node(first, 1));
    Event document_end;
    CKPT_CHECK(next(document_end));
    Event end;
    CKPT_CHECK(next(end));
    if (end.type() != YAML_STREAM_END_EVENT) return refuse(end.mark(), "a second document, expected one");
    return root;
}

} // namespace

Error yaml_error(std::string_view file_name, YamlMark mark, Code code, std::string_view what) {
    return {
        code, printable(std::format("{}:{}:{}: {}", file_name, mark.line, mark.column, what)), {}, 0};
}

Result<YamlNode> parse_yaml(std::string_view file_name, std::string_view text) {
    if (text.size() > k_yaml_bytes_max)
        return tl::unexpected(yaml_error(file_name, {}, Code::policy_syntax,
                                         std::format("{} bytes, expected at most 1 MiB", text.size())));
    return Reader(file_name, text).document();
}

} // namespace ckpt
