// SPDX-License-Identifier: GPL-2.0-or-later
// What each target begins with, written by the product itself where it writes such things.
#pragma once

#include <filesystem>
#include <format>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

namespace ckpt::fuzz {

// Of one target: inputs as OUT/TARGET/seed-NAME, and OUT/TARGET.dict, the words of what is text.
class Seeds {
public:
    Seeds(const std::filesystem::path& out, const std::string& target)
        : m_dir(out / target), m_dictionary(out / (target + ".dict")) {
        std::filesystem::create_directories(m_dir);
    }
    void add(const std::string& name, std::string_view bytes) const {
        std::ofstream(m_dir / ("seed-" + name), std::ios::binary) << bytes;
    }
    void words(const std::set<std::string>& words) const {
        std::ofstream out(m_dictionary);
        for (const std::string& word : words) {
            if (word.empty()) continue;
            out << '"';
            for (const char c : word)
                out << std::format("\\x{:02x}", static_cast<unsigned char>(c));
            out << "\"\n";
        }
    }
    // Numbers of seven bits a byte at which sums and casts go wrong: no mutation would come upon them.
    void limits() const {
        words({"\xff\xff\xff\xff\x07", "\x80\x80\x80\x80\x08", "\xff\xff\xff\xff\x0f", "\x80\x80\x80\x80\x10",
               "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
               "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"});
    }

private:
    std::filesystem::path m_dir;
    std::filesystem::path m_dictionary;
};

void wire_seeds(const Seeds& seeds);
void policy_seeds(const Seeds& seeds, const std::filesystem::path& source);
void options_seeds(const Seeds& seeds);
void manifest_seeds(const Seeds& seeds);
void pack_seeds(const Seeds& seeds);
void images_seeds(const Seeds& seeds);

} // namespace ckpt::fuzz
