/* SPDX-License-Identifier: MIT */
/* embedded.h - files of this folder, compiled in by embed.py. */
#pragma once

extern const char lab_python_script[];
extern const char lab_page_style[];
extern const char lab_page_script[];
extern const char lab_uplot_style[];
extern const char lab_uplot_script[];
extern const char lab_uplot_licence[];
