/* SPDX-License-Identifier: MIT */
/* embedded.h - files of this folder, compiled in by lab/embed.py. */
#pragma once

extern const char tl_style[];
extern const char tl_script[];
