// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/metrics.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;
using testing::Not;

Metrics some() {
    Metrics metrics;
    metrics.saved(Reason::interval, 0.3, 1000, 400, 2);
    metrics.saved(Reason::forced_end, 70, 3000, 600, 40);
    metrics.failed("dump", {Code::deadline, "", "", 0});
    metrics.failed("dump", {Code::deadline, "", "", 0});
    metrics.restored(3, 7200);
    metrics.held();
    return metrics;
}

TEST(Metrics, CountsWhatHasHappened) {
    const std::string text = some().text({2, 1, 1, 0, 5000, true, 1700000000, 1600000000});
    for (const char* line :
         {"slurm_checkpoint_generations_total{reason=\"interval\"} 1\n", "{reason=\"forced_end\"} 1\n",
          "{reason=\"on_demand\"} 0\n", "slurm_checkpoint_pause_seconds_bucket{le=\"0.25\"} 0\n",
          "slurm_checkpoint_pause_seconds_bucket{le=\"0.5\"} 1\n",
          "slurm_checkpoint_pause_seconds_bucket{le=\"60\"} 1\n",
          "slurm_checkpoint_pause_seconds_bucket{le=\"300\"} 2\n",
          "slurm_checkpoint_pause_seconds_bucket{le=\"+Inf\"} 2\n",
          "slurm_checkpoint_pause_seconds_sum 70.3\n", "slurm_checkpoint_pause_seconds_count 2\n",
          "slurm_checkpoint_image_bytes_total 4000\n", "slurm_checkpoint_stored_bytes_total 1000\n",
          "slurm_checkpoint_saved_cpu_seconds_total 7200\n", "slurm_checkpoint_holds_total 1\n",
          "slurm_checkpoint_jobs{state=\"checkpointed\"} 2\n", "slurm_checkpoint_local_free_bytes 5000\n",
          "slurm_checkpoint_policy_good 1\n", "slurm_checkpoint_policy_time_seconds 1700000000\n"})
        EXPECT_THAT(text, HasSubstr(line));
    EXPECT_THAT(text, testing::ContainsRegex("failures_total\\{phase=\"dump\",code=\"CKPT-[0-9]+\"\\} 2"));
}

// Each sample belongs to a metric that was announced, once, and has a number as its value.
TEST(Metrics, AreWellFormed) {
    std::istringstream lines(some().text({}));
    std::set<std::string> announced;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# HELP ")) continue;
        if (line.starts_with("# TYPE ")) {
            std::string hash, type, name;
            std::istringstream(line) >> hash >> type >> name;
            EXPECT_TRUE(announced.insert(name).second) << name;
            continue;
        }
        const std::string name = line.substr(0, line.find_first_of("{ "));
        const auto belongs = [&](const std::string& suffix) {
            return name.ends_with(suffix) && announced.contains(name.substr(0, name.size() - suffix.size()));
        };
        EXPECT_TRUE(belongs("") || belongs("_bucket") || belongs("_sum") || belongs("_count")) << line;
        const std::string value = line.substr(line.rfind(' ') + 1);
        std::size_t used = 0;
        EXPECT_NO_THROW((void)std::stod(value, &used)) << line;
        EXPECT_EQ(used, value.size()) << line;
    }
    EXPECT_FALSE(announced.empty());
    EXPECT_THAT(some().text({}), Not(HasSubstr("\n\n")));
}

std::string repository_file(const std::string& path) {
    const std::ifstream file(std::string(CKPT_SOURCE_DIR) + "/" + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::set<std::string> announced() {
    std::set<std::string> names;
    std::istringstream lines(some().text({}));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("# TYPE slurm_checkpoint_"))
            names.insert(line.substr(24, line.find(' ', 24) - 24));
    return names;
}

TEST(Metrics, TheManualHasARowForEach) {
    std::set<std::string> rows;
    std::istringstream lines(repository_file("docs/metrics.md"));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("| `")) rows.insert(line.substr(3, line.find('`', 3) - 3));
    EXPECT_EQ(rows, announced());
}

// A name that is misspelt there would show an empty panel for ever.
TEST(Metrics, TheDashboardAsksForWhatThereIs) {
    const std::string dashboard = repository_file("packaging/grafana/slurm-checkpoint.json");
    const std::regex name("slurm_checkpoint_([a-z_]+)");
    std::size_t count = 0;
    for (std::sregex_iterator at(dashboard.begin(), dashboard.end(), name), end; at != end; ++at, ++count) {
        std::string asked = (*at)[1];
        for (const std::string suffix : {"_bucket", "_count", "_sum"})
            if (asked.ends_with(suffix)) asked.resize(asked.size() - suffix.size());
        EXPECT_TRUE(announced().contains(asked)) << asked;
    }
    EXPECT_GT(count, 10U);
}

} // namespace
} // namespace ckpt
