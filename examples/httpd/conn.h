/* SPDX-License-Identifier: MIT */
/* conn.h - the life of one connection, from its first byte to its last. */
#pragma once

#include "site.h"
#include "wire.h"

/* Answer what comes, until the client leaves, takes too long or asks for what ends it. The wire
 * stays open. */
void conn_serve(struct site *site, struct wire *wire);
