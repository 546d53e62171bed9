// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
