// SPDX-License-Identifier: GPL-2.0-or-later
// The plugin in one of Slurm's programs, by a fake SPANK.
#pragma once

#include <gmock/gmock.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "fake_spank.hpp"
#include "plugin/hooks.hpp"
#include "plugin/option_callback.hpp"
#include "plugin/step.hpp"

namespace ckpt::test {

class PluginHooks : public testing::Test {
protected:
    void SetUp() override {
        test::reset_fake_spank();
        given_options() = {};
        set_managed(false);
        m_settings.policy = "/nonexistent";
        program_invocation_short_name = m_program.data();
    }
    void TearDown() override {
        for (const char* name :
             {"SBATCH_CHECKPOINT", "SLURM_CHECKPOINT", "SLURM_JOB_ID", "SLURM_RESTART_COUNT",
              "SLURM_SPANK_CKPT_UUID", "SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint"})
            ::unsetenv(name);
    }
    void be(const char* program, spank_context_t context) {
        m_program = program;
        program_invocation_short_name = m_program.data();
        fake_spank().context = context;
    }
    // A batch step whose job has --checkpoint.
    void begin_step() {
        step_init(fake_spank().handle(), m_settings);
        fake_spank().give("checkpoint", "", true);
        step_options_known(fake_spank().handle(), m_settings);
    }

    Settings m_settings;
    std::string m_program = "test";
};

} // namespace ckpt::test
