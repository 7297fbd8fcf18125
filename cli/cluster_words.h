/* SPDX-License-Identifier: MIT */
/* cluster_words.h - sizes and times for people. Each returns its buffer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_WORD_BYTES = 32 };

/** "512 B", "3.4 MB". */
const char *cluster_say_bytes(uint64_t bytes, char ret[static CLUSTER_WORD_BYTES]);

/** How long ago something was: "3 s", "5 min", "2 h", "4 d". Nanoseconds since 1970. */
const char *cluster_say_age(int64_t then, int64_t now, char ret[static CLUSTER_WORD_BYTES]);

/** Now, in nanoseconds since 1970. */
int64_t cluster_now(void);

/** A build's identity, as short as people need it. */
const char *cluster_say_build(const char *build, char ret[static CLUSTER_WORD_BYTES]);
