// SPDX-License-Identifier: GPL-2.0-or-later
// Where metrics are read: a stream socket that answers whatever it is asked with them, as HTTP, so that curl
// and any local scraper can.
#pragma once

#include <sys/types.h>

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
    [[nodiscard]] bool may_read(uid_t uid) const;
    void accept_reader();
    void answer(std::uint64_t number);
    void forget(std::uint64_t number);

    struct Reader {
        Fd socket;
        uid_t uid = 0;
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

} // namespace ckpt
