/* SPDX-License-Identifier: MIT */
/* mime.h - a file's content type, from its name. */
#pragma once

const char *mime_type(const char *path);
