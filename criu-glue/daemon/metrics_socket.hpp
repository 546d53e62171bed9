// SPDX-License-Identifier: GPL-2.0-or-later
// Where metrics are read: a stream socket that answers whatever it is asked with them, as HTTP, so that curl
// and any local scraper can; and a file for node_exporter's textfile collector.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "loop.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class MetricsSocket {
public:
    // `text`: makes the metrics of the moment. Everybody may read them: they name no job and no user.
    static Result<std::unique_ptr<MetricsSocket>> open(Loop& loop, const std::string& path,
                                                       std::function<std::string()> text);
    MetricsSocket(const MetricsSocket&) = delete;
    MetricsSocket& operator=(const MetricsSocket&) = delete;
    MetricsSocket(MetricsSocket&&) = delete;
    MetricsSocket& operator=(MetricsSocket&&) = delete;
    ~MetricsSocket();

private:
    MetricsSocket(Loop& loop, Fd listener, std::function<std::string()> text);
    void accept_reader();
    void answer(std::uint64_t number);
    void forget(std::uint64_t number);

    struct Reader {
        Fd socket;
        Loop::Id readable = 0;
        Loop::Id limit = 0;
    };
    Loop& m_loop;
    Fd m_listener;
    Loop::Id m_listening = 0;
    std::function<std::string()> m_text;
    std::map<std::uint64_t, Reader> m_readers;
    std::uint64_t m_next = 1;
};

// Replaces the file `path` with `text`, readable by everybody; whole or not at all.
Status write_metrics_file(const std::string& path, const std::string& text);

} // namespace ckpt
